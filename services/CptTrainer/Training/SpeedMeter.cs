using Espalier.Stages;

namespace Espalier.CptTrainer.Training;

/// <summary>Reports tokens per second over the last seconds, and what share of the machine's product peak their operations are.</summary>
/// <param name="time">Tells the time.</param>
/// <param name="progress">Takes the metrics.</param>
/// <param name="peak">Operations a second of one large product; 0 where it is not known.</param>
public sealed class SpeedMeter(TimeProvider time, IStageProgress progress, double peak = 0)
{
    private static readonly TimeSpan Window = TimeSpan.FromSeconds(2);

    private long _since = time.GetTimestamp();
    private long _tokens;
    private double _operations;

    /// <summary>Counts finished tokens, and the operations that they took.</summary>
    public void Add(long tokens, double operations = 0)
    {
        _tokens += tokens;
        _operations += operations;
        var elapsed = time.GetElapsedTime(_since);
        if (elapsed < Window)
            return;
        progress.Metric("tokens-per-second", _tokens / elapsed.TotalSeconds);
        if (peak > 0)
            progress.Metric("peak-share", _operations / elapsed.TotalSeconds / peak);
        (_since, _tokens, _operations) = (time.GetTimestamp(), 0, 0);
    }
}
