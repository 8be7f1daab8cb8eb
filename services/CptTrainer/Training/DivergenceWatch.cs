namespace Espalier.CptTrainer.Training;

/// <summary>
/// Notices a run whose loss stays far above where it had been: its median over the last <see cref="Window"/> steps is a multiple of the
/// lowest such median, and half a nat above it. What it needs is saved with the run's position, so a resumed run stops at the same step.
/// </summary>
public sealed class DivergenceWatch
{
    /// <summary>Optimizer steps of a median.</summary>
    public const int Window = 50;

    private const double LeastRise = 0.5; // nats: a small loss may double without harm

    /// <summary>Losses of the last steps, oldest first.</summary>
    public List<double> Recent { get; init; } = [];

    /// <summary>Lowest median so far; null before there was one.</summary>
    public double? Lowest { get; set; }

    /// <summary>Median of the last steps; null before there are as many.</summary>
    public double? Median { get; set; }

    /// <summary>Counts the loss of one step.</summary>
    public void Add(double loss)
    {
        if (Recent.Count == Window)
            Recent.RemoveAt(0);
        Recent.Add(loss);
        if (Recent.Count < Window)
            return;
        var sorted = Recent.Order().ToList();
        Median = (sorted[(Window - 1) / 2] + sorted[Window / 2]) / 2;
        Lowest = Math.Min(Median.Value, Lowest ?? double.PositiveInfinity);
    }

    /// <summary>Whether the run has diverged.</summary>
    /// <param name="limit">How many times the lowest median; 0 for never.</param>
    public bool HasDiverged(double limit) => limit > 0 && Lowest is { } lowest && Median > Math.Max(lowest * limit, lowest + LeastRise);

    /// <summary>Whether it is on the way there, half of it behind: a position saved now would not be a good one.</summary>
    /// <param name="limit">As for <see cref="HasDiverged"/>.</param>
    public bool IsRising(double limit) => limit > 0 && Lowest is { } lowest && Median > Math.Max(lowest * (1 + limit) / 2, lowest + LeastRise / 2);
}
