using System.Collections.Concurrent;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>
/// The newest progress of running steps, for whoever watches. Only here, not in the ledger: losing it costs half a second
/// of a progress bar. Lines that a stage logs do go to the run's log.
/// </summary>
internal sealed class LiveProgress(LedgerDatabase database, TimeProvider time)
{
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1);
    private readonly ConcurrentDictionary<(Guid Run, string Step), (StepProgress Progress, long At)> _newest = new();
    private readonly ConcurrentDictionary<(Guid Run, string Step), ProgressHistory> _histories = new();
    private long _forgotAt = time.GetTimestamp();

    /// <summary>Takes a progress event.</summary>
    public async Task TakeAsync(StepProgress progress, CancellationToken cancellationToken)
    {
        var step = (progress.Step.RunId, progress.Step.Name);
        _newest[step] = (progress, time.GetTimestamp());
        if (progress.Metrics.Count > 0)
            _histories.GetOrAdd(step, _ => new ProgressHistory()).Add(progress, time.GetUtcNow());
        Forget();
        if (progress.Log.Count > 0)
        {
            var logged = new StepLogged(progress.Fence, progress.Log, progress.Step.Name);
            await database.WriteAsync(
                transaction => transaction.LogAsync(progress.Step.RunId.ToString(), progress.Step.Name, logged), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Forgets steps that nothing was heard of; not at every event, of which there may be thousands a second.</summary>
    private void Forget()
    {
        var last = Interlocked.Read(ref _forgotAt);
        if (time.GetElapsedTime(last) < Lifetime / 10 || Interlocked.CompareExchange(ref _forgotAt, time.GetTimestamp(), last) != last)
            return;
        foreach (var (key, value) in _newest)
        {
            if (time.GetElapsedTime(value.At) <= Lifetime)
                continue;
            _newest.TryRemove(key, out _);
            _histories.TryRemove(key, out _);
        }
    }

    /// <summary>What a step measured since this process first heard of it; empty a minute after it was last heard of.</summary>
    public IReadOnlyList<ProgressPoint> HistoryOf(Guid runId, string step) => _histories.GetValueOrDefault((runId, step))?.Points ?? [];

    /// <summary>The newest progress of each step of a run.</summary>
    public IReadOnlyList<StepProgress> Of(Guid runId) => [.. _newest.Where(p => p.Key.Run == runId).Select(p => p.Value.Progress)];
}

/// <summary>Lines of a step's log, as the run's log keeps them.</summary>
internal sealed record StepLogged(int Attempt, IReadOnlyList<string> Lines, string Step = "");
