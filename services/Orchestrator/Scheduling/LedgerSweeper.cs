using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Runs the sweep at its interval.</summary>
internal sealed class LedgerSweeper(LedgerSweep sweep, OrchestratorOptions options, TimeProvider time, ILogger<LedgerSweeper> logger) : BackgroundService
{
    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        using var timer = new PeriodicTimer(options.SweepInterval, time);
        try
        {
            while (await timer.WaitForNextTickAsync(stoppingToken).ConfigureAwait(false))
                await SweepAsync(stoppingToken).ConfigureAwait(false);
        }
        catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
        {
        }
    }

    private async Task SweepAsync(CancellationToken cancellationToken)
    {
        try
        {
            await sweep.RunAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            OrchestratorLog.LoopFailed(logger, nameof(LedgerSweeper), e);
        }
    }
}
