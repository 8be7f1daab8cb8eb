using Espalier.Database;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Triggers;

/// <summary>
/// Looks at schedules, folders and events, and starts runs, as long as the process runs. Whatever it did not get to is found again in
/// the ledger.
/// </summary>
internal sealed class TriggerEngine(
    TriggerSources sources, TriggerEvaluator evaluator, FiringStarter starter, Wakeups wakeups, OrchestratorOptions options, TimeProvider time,
    ILogger<TriggerEngine> logger) : BackgroundService
{
    /// <summary>One round; true when there is more to do at once.</summary>
    internal async Task<bool> RunOnceAsync(CancellationToken cancellationToken)
    {
        await sources.LookAsync(cancellationToken).ConfigureAwait(false);
        var events = await evaluator.RunAsync(cancellationToken).ConfigureAwait(false);
        var started = await starter.RunAsync(cancellationToken).ConfigureAwait(false);
        return TriggerEvaluator.IsFull(events) || started > 0;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => new DatabaseLoop("The trigger engine", time, logger).RunAsync(
        RunOnceAsync, token => wakeups.Triggers.WaitAsync(options.SweepInterval, time, token), options.SweepInterval, stoppingToken);
}

/// <summary>What has to be looked at to see that something happened, and what is to be forgotten.</summary>
internal sealed class TriggerSources(ScheduleClock schedules, FolderWatch folders, TriggerHistory history)
{
    /// <summary>Looks at everything once.</summary>
    public async Task LookAsync(CancellationToken cancellationToken)
    {
        await schedules.RunAsync(cancellationToken).ConfigureAwait(false);
        await folders.RunAsync(cancellationToken).ConfigureAwait(false);
        await history.ForgetAsync(cancellationToken).ConfigureAwait(false);
    }
}
