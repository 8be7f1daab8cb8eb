using Espalier.Contracts;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>One point of what a step measured.</summary>
/// <param name="At">When it was heard.</param>
/// <param name="Attempt">Attempt that measured.</param>
/// <param name="Done">Units done.</param>
/// <param name="Total">Units in all; 0 when unknown.</param>
/// <param name="Metrics">Values by name.</param>
/// <param name="ExpertLoad">Load of each expert by layer, in percent of a fair share.</param>
public sealed record ProgressPoint(
    DateTimeOffset At, int Attempt, long Done, long Total, IReadOnlyDictionary<string, double> Metrics, IReadOnlyList<IReadOnlyList<int>>? ExpertLoad);

/// <summary>
/// What a step measured since this process heard of it, so that a chart opened late begins at the start. When there are too many
/// points, every second one is dropped, and from then on only every second one is taken: memory stays bounded, the shape stays.
/// </summary>
internal sealed class ProgressHistory
{
    private const int MostPoints = 1024;
    private readonly List<ProgressPoint> _points = [];
    private readonly Lock _gate = new();
    private int _stride = 1;
    private int _skipped;

    /// <summary>Every point that was kept, oldest first.</summary>
    public IReadOnlyList<ProgressPoint> Points
    {
        get
        {
            lock (_gate)
                return [.. _points];
        }
    }

    /// <summary>Takes a progress event.</summary>
    public void Add(StepProgress progress, DateTimeOffset at)
    {
        lock (_gate)
        {
            if (++_skipped < _stride)
                return;
            _skipped = 0;
            _points.Add(new ProgressPoint(at, progress.Fence, progress.Done, progress.Total, progress.Metrics, progress.ExpertLoad));
            if (_points.Count < MostPoints)
                return;
            for (var kept = 0; kept < MostPoints / 2; kept++)
                _points[kept] = _points[kept * 2 + 1];
            _points.RemoveRange(MostPoints / 2, MostPoints / 2);
            _stride *= 2;
        }
    }
}
