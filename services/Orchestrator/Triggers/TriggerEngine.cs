using Espalier.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Triggers.Watching;

namespace Espalier.Orchestrator.Triggers;

/// <summary>
/// Looks at schedules and events, and starts runs, as long as the process runs. Whatever it did not get to is found again in the ledger.
/// </summary>
internal sealed class TriggerEngine(
    ScheduleClock schedules, TriggerEvaluator evaluator, FiringStarter starter, Wakeups wakeups, OrchestratorOptions options, TimeProvider time,
    ILogger<TriggerEngine> logger) : BackgroundService
{
    /// <summary>One round; true when there is more to do at once.</summary>
    internal async Task<bool> RunOnceAsync(CancellationToken cancellationToken)
    {
        await schedules.RunAsync(cancellationToken).ConfigureAwait(false);
        var events = await evaluator.RunAsync(cancellationToken).ConfigureAwait(false);
        var started = await starter.RunAsync(cancellationToken).ConfigureAwait(false);
        return TriggerEvaluator.IsFull(events) || started > 0;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => new DatabaseLoop("The trigger engine", time, logger).RunAsync(
        RunOnceAsync, token => wakeups.Triggers.WaitAsync(options.SweepInterval, time, token), options.SweepInterval, stoppingToken);
}

/// <summary>Looks at watched places and forgets old events: what takes its time, and must not keep an event waiting.</summary>
internal sealed class TriggerCaretaker(
    FileWatch files, TriggerHistory history, OrchestratorOptions options, TimeProvider time, ILogger<TriggerCaretaker> logger) : BackgroundService
{
    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        new DatabaseLoop("The watch of files", time, logger).RunAsync(RunOnceAsync, options.SweepInterval, stoppingToken);

    private async Task RunOnceAsync(CancellationToken cancellationToken)
    {
        await files.RunAsync(cancellationToken).ConfigureAwait(false);
        await history.ForgetAsync(cancellationToken).ConfigureAwait(false);
    }
}
