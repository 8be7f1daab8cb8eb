using Espalier.Stages;

namespace Espalier.CptTrainer.Tests.Commands;

/// <summary>What a stage said, in order.</summary>
public sealed class RecordedProgress : IStageProgress
{
    private readonly Lock _lock = new();
    private readonly List<string> _lines = [];

    public IReadOnlyList<string> Lines
    {
        get
        {
            lock (_lock)
                return [.. _lines];
        }
    }

    public List<(string Phase, long Done, long Total, string Unit)> Phases { get; } = [];

    public Action<string>? OnLine { get; init; }

    public void Report(string phase, long done, long total, string unit) => Phases.Add((phase, done, total, unit));

    public void Metric(string name, double value)
    {
    }

    public void Log(string message)
    {
        lock (_lock)
            _lines.Add(message);
        OnLine?.Invoke(message);
    }
}
