using Espalier.Cli.Hosting;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Cli.Progress;

/// <summary>Follows a run to its end. The ledger is the truth; events only wake the watcher sooner.</summary>
internal sealed class RunWatcher(EmbeddedHost host, Guid runId)
{
    private static readonly TimeSpan LookAgain = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan TroubleLimit = TimeSpan.FromSeconds(3);
    private readonly StepChanges _changes = new();

    /// <summary>Shows every change until the run ends. Cancelling the token cancels the run and keeps watching until it has stopped.</summary>
    public async Task<RunView> WatchAsync(IStepBoard board, CancellationToken cancellationToken)
    {
        var isStopping = false;
        while (true)
        {
            // Taken before the ledger is read, which is then at least as new.
            var changes = host.Events.TakeChanges().Where(c => c.RunId == runId).ToList();
            var run = await host.Runs.FindAsync(runId, CancellationToken.None).ConfigureAwait(false)
                ?? throw new InvalidOperationException($"Run {runId} vanished from the ledger.");
            Show(board, run, changes);
            if (run.State is RunState.Succeeded or RunState.Failed or RunState.Cancelled)
                return run;
            if (host.Runs.Trouble is { } trouble && TimeProvider.System.GetElapsedTime(trouble.Since) > TroubleLimit)
                throw new IOException(
                    $"The ledger of the runs cannot be written: {trouble.Reason} Finished steps are kept. Make room on the disk of "
                        + $"{host.Home} (or make it writable), and run the file again.");
            if (cancellationToken.IsCancellationRequested && !isStopping)
            {
                isStopping = true;
                board.Say("Stopping: running steps save their positions. Press Ctrl-C again to end at once.");
                await host.CancelAsync(runId).ConfigureAwait(false);
            }
            try
            {
                await host.Events.WaitAsync(LookAgain, isStopping ? CancellationToken.None : cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                // Handled at the top of the loop.
            }
        }
    }

    private void Show(IStepBoard board, RunView run, IEnumerable<StepStateChanged> changes)
    {
        foreach (var change in changes)
            _changes.Show(board, change, run.Steps.FirstOrDefault(s => s.Name == change.Step)?.Kind);
        var progress = host.Events.Take().Where(p => p.Step.RunId == runId).ToList();
        _changes.Show(board, run);
        var running = run.Steps.Where(s => s.State == StepState.Running).Select(s => s.Name).ToHashSet();
        foreach (var news in progress.Where(p => running.Contains(p.Step.Name)))
            board.Advance(news);
    }
}
