using Espalier.Database;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Runs the sweep at its interval.</summary>
internal sealed class LedgerSweeper(LedgerSweep sweep, OrchestratorOptions options, TimeProvider time, ILogger<LedgerSweeper> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        new DatabaseLoop("The sweep of the ledger", time, logger).RunAsync(sweep.RunAsync, options.SweepInterval, stoppingToken);
}
