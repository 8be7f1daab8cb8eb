namespace Espalier.Cli.Progress;

/// <summary>Units per second over the last seconds, from readings of a counter.</summary>
internal sealed class RateMeter(TimeProvider time)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(10);
    private readonly Queue<(long At, long Done)> _readings = new();

    /// <summary>Adds a reading and returns the rate; 0 until two readings differ. A counter that falls starts over.</summary>
    public double Add(long done)
    {
        var now = time.GetTimestamp();
        if (_readings.Count > 0 && done < _readings.Last().Done)
            _readings.Clear();
        _readings.Enqueue((now, done));
        while (_readings.Count > 2 && time.GetElapsedTime(_readings.Peek().At, now) > Window)
            _readings.Dequeue();
        var (at, first) = _readings.Peek();
        var seconds = time.GetElapsedTime(at, now).TotalSeconds;
        return seconds > 0 ? (done - first) / seconds : 0;
    }
}
