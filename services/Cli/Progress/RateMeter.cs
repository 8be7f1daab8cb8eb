using Espalier.Contracts;

namespace Espalier.Cli.Progress;

/// <summary>
/// Units per second over the last seconds. Only what was done since the first reading counts: a step that resumes from a
/// saved position starts in the middle, and may report 0 before it has read that position.
/// </summary>
internal sealed class RateMeter(TimeProvider time)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);
    private readonly Queue<(long At, long Done)> _readings = new();
    private (string Unit, long Total) _counted;

    /// <summary>Adds a reading and returns the rate; 0 until two readings differ. A counter that falls, or counts something else, starts over.</summary>
    public double Add(StepProgress progress)
    {
        var now = time.GetTimestamp();
        var (done, counted) = (progress.Done, (progress.Unit, progress.Total));
        if (_counted != counted || (_readings.Count > 0 && (done < _readings.Last().Done || _readings.Last().Done == 0)))
            _readings.Clear();
        _counted = counted;
        _readings.Enqueue((now, done));
        while (_readings.Count > 2 && time.GetElapsedTime(_readings.Peek().At, now) > Window)
            _readings.Dequeue();
        var (at, first) = _readings.Peek();
        var seconds = time.GetElapsedTime(at, now).TotalSeconds;
        return seconds > 0 ? (done - first) / seconds : 0;
    }
}
