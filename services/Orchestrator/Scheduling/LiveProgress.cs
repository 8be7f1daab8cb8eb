using System.Collections.Concurrent;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>
/// The newest progress of running steps, for whoever watches. Only here, not in the ledger: losing it costs half a second
/// of a progress bar. Lines that a stage logs do go to the run's log, and now and then how far it is, ever less often.
/// </summary>
internal sealed class LiveProgress(LedgerDatabase database, TimeProvider time)
{
    private const int LinesPerDoubling = 40; // of the time that a step takes: a day's training has some 260
    private static readonly TimeSpan Lifetime = TimeSpan.FromMinutes(1), ShortestPause = TimeSpan.FromSeconds(10);
    private readonly ConcurrentDictionary<(Guid Run, string Step), (int Fence, string Phase, long Begun, long Said)> _said = new();
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
        var lines = IsDue(step, progress) ? [.. progress.Log, Describe(progress)] : progress.Log;
        if (lines.Count > 0)
        {
            var logged = new StepLogged(progress.Fence, lines, progress.Step.Name);
            await database.WriteAsync(
                transaction => transaction.LogAsync(progress.Step.RunId.ToString(), progress.Step.Name, logged), cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Whether it is time to say in the log how far a step is: ever less often.</summary>
    private bool IsDue((Guid Run, string Step) step, StepProgress progress)
    {
        if (progress.Total == 0)
            return false;
        var now = time.GetTimestamp();
        if (!_said.TryGetValue(step, out var last) || (last.Fence, last.Phase) != (progress.Fence, progress.Phase))
        {
            _said[step] = (progress.Fence, progress.Phase, now, now);
            return false; // its first numbers say nothing yet
        }
        var pause = time.GetElapsedTime(last.Begun, now) / LinesPerDoubling;
        if (time.GetElapsedTime(last.Said, now) < (pause > ShortestPause ? pause : ShortestPause))
            return false;
        _said[step] = last with { Said = now };
        return true;
    }

    /// <summary><c>training: 120,000 of 300,000 tokens, loss 3.214</c>.</summary>
    private static string Describe(StepProgress progress)
    {
        var text = FormattableString.Invariant($"{progress.Phase}: {progress.Done:N0} of {progress.Total:N0} {progress.Unit}");
        return progress.Metrics.TryGetValue("loss", out var loss) ? text + FormattableString.Invariant($", loss {loss:0.000}") : text;
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
            _said.TryRemove(key, out _);
        }
    }

    /// <summary>What a step measured since this process first heard of it; empty a minute after it was last heard of.</summary>
    public IReadOnlyList<ProgressPoint> HistoryOf(Guid runId, string step) => _histories.GetValueOrDefault((runId, step))?.Points ?? [];

    /// <summary>The newest progress of each step of a run.</summary>
    public IReadOnlyList<StepProgress> Of(Guid runId) => [.. _newest.Where(p => p.Key.Run == runId).Select(p => p.Value.Progress)];
}

/// <summary>Lines of a step's log, as the run's log keeps them.</summary>
internal sealed record StepLogged(int Attempt, IReadOnlyList<string> Lines, string Step = "");
