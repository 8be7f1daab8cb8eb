using Espalier.Stages;

namespace Espalier.CptTrainer.Training;

/// <summary>Reports tokens per second over the last seconds.</summary>
public sealed class SpeedMeter(TimeProvider time, IStageProgress progress)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(2);

    private long _since = time.GetTimestamp();
    private long _tokens;

    /// <summary>Counts finished tokens.</summary>
    public void Add(long tokens)
    {
        _tokens += tokens;
        var elapsed = time.GetElapsedTime(_since);
        if (elapsed < Window)
            return;
        progress.Metric("tokens-per-second", _tokens / elapsed.TotalSeconds);
        (_since, _tokens) = (time.GetTimestamp(), 0);
    }
}
