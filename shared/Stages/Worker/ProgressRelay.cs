using Espalier.Contracts;

namespace Espalier.Stages.Worker;

/// <summary>Collects what a stage reports and hands out one thinned event at a time.</summary>
public sealed class ProgressRelay(TimeProvider time) : IStageProgress
{
    private const int LinesKept = 200;
    private readonly Lock _gate = new();
    private readonly Dictionary<string, double> _metrics = [];
    private readonly Queue<string> _lines = new();
    private readonly long _started = time.GetTimestamp();
    private (string Phase, long Done, long Total, string Unit) _position = ("", 0, 0, "");
    private IReadOnlyList<IReadOnlyList<int>>? _load;
    private bool _isNew;

    /// <summary>Units done and in all, and the rate since the start in units per second.</summary>
    public (long Done, long Total, double Rate) Position
    {
        get
        {
            lock (_gate)
                return (_position.Done, _position.Total, _position.Done / Math.Max(time.GetElapsedTime(_started).TotalSeconds, 1e-3));
        }
    }

    /// <summary>Newest value of every metric so far.</summary>
    public IReadOnlyDictionary<string, double> Metrics
    {
        get
        {
            lock (_gate)
                return new SortedDictionary<string, double>(_metrics, StringComparer.Ordinal);
        }
    }

    /// <inheritdoc/>
    public void Report(string phase, long done, long total, string unit)
    {
        lock (_gate)
        {
            _position = (phase, done, total, unit);
            _isNew = true;
        }
    }

    /// <inheritdoc/>
    public void Metric(string name, double value)
    {
        lock (_gate)
        {
            if (_metrics.Count < MessageLimits.MostMetrics || _metrics.ContainsKey(name))
                _metrics[name] = value;
            _isNew = true;
        }
    }

    /// <inheritdoc/>
    public void Log(string message)
    {
        lock (_gate)
        {
            _lines.Enqueue(message.Length <= MessageLimits.LongestLine ? message : message[..MessageLimits.LongestLine]);
            if (_lines.Count > LinesKept)
                _lines.Dequeue();
            _isNew = true;
        }
    }

    /// <inheritdoc/>
    public void ExpertLoad(IReadOnlyList<IReadOnlyList<long>> counts)
    {
        if (counts.Sum(layer => layer.Count) > MessageLimits.MostLoadCells)
            return;
        var load = counts.Select(IReadOnlyList<int> (layer) => PercentOfFairShare(layer)).ToList();
        lock (_gate)
            (_load, _isNew) = (load, true);
    }

    /// <summary>Changes what is being done, and nothing else.</summary>
    public void Phase(string phase)
    {
        lock (_gate)
        {
            _position = _position with { Phase = phase };
            _isNew = true;
        }
    }

    /// <summary>Takes what a work process has collected.</summary>
    public void Merge(StepProgress progress)
    {
        Report(progress.Phase, progress.Done, progress.Total, progress.Unit);
        foreach (var (name, value) in progress.Metrics)
            Metric(name, value);
        foreach (var line in progress.Log)
            Log(line);
        lock (_gate)
            _load = progress.ExpertLoad ?? _load;
    }

    /// <summary>The progress since the last call, or null when there is nothing new. Its size is bounded: what does not fit comes next time.</summary>
    public StepProgress? Take(StepAddress step, int fence)
    {
        lock (_gate)
        {
            if (!_isNew)
                return null;
            var lines = TakeLines();
            _isNew = _lines.Count > 0;
            return new StepProgress
            {
                Step = step,
                Fence = fence,
                Phase = _position.Phase,
                Done = _position.Done,
                Total = _position.Total,
                Unit = _position.Unit,
                Metrics = _metrics.Where(m => double.IsFinite(m.Value)).ToDictionary(),
                Log = lines,
                ExpertLoad = _load,
            };
        }
    }

    private static List<int> PercentOfFairShare(IReadOnlyList<long> layer)
    {
        var sum = Math.Max(layer.Sum(), 1);
        return [.. layer.Select(count => (int)Math.Round(100.0 * count * layer.Count / sum))];
    }

    private List<string> TakeLines()
    {
        var lines = new List<string>();
        for (var room = MessageLimits.MostLogCharacters; _lines.TryPeek(out var next) && next.Length <= room; room -= next.Length + 3)
            lines.Add(_lines.Dequeue());
        return lines;
    }
}
