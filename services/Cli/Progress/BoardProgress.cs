using Espalier.Contracts;
using Espalier.Stages;

namespace Espalier.Cli.Progress;

/// <summary>Shows the progress of a stage in this process, at most four times a second.</summary>
internal sealed class BoardProgress(IStepBoard board, string name, TimeProvider time) : IStageProgress
{
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(250);
    private readonly Lock _lock = new();
    private readonly Dictionary<string, double> _metrics = [];
    private StepProgress? _newest;
    private long? _shown;

    /// <summary>The last value of every metric.</summary>
    public IReadOnlyDictionary<string, double> Metrics
    {
        get
        {
            lock (_lock)
                return new Dictionary<string, double>(_metrics);
        }
    }

    public void Report(string phase, long done, long total, string unit)
    {
        lock (_lock)
        {
            var isNewPhase = phase != _newest?.Phase;
            _newest = new StepProgress
            {
                Step = new StepAddress(Guid.Empty, name, default),
                Fence = 1,
                Phase = phase,
                Done = done,
                Total = total,
                Unit = unit,
                Metrics = _metrics,
            };
            if (!isNewPhase && _shown is { } shown && time.GetElapsedTime(shown) < Interval)
                return;
            _shown = time.GetTimestamp();
            board.Advance(_newest);
        }
    }

    public void Metric(string name, double value)
    {
        lock (_lock)
            _metrics[name] = value;
    }

    public void Log(string message)
    {
        lock (_lock)
            board.Say($"{name}: {message}");
    }
}
