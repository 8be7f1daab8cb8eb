namespace Espalier.Modeling.Training;

/// <summary>
/// Says which gradient norms are spikes: those above some times the median of the last 64, from the 16th step on. Norms of skipped
/// steps count too, so that a lasting change of scale is accepted after half a window.
/// </summary>
/// <param name="times">How many times the median is still taken.</param>
/// <param name="norms">Norms of the last steps, oldest first; kept up to date here, and saved by whoever owns it.</param>
public sealed class SpikeGuard(double times, IList<double> norms)
{
    private const int Window = 64;
    private const int Fewest = 16;

    /// <summary>The largest norm whose step is taken.</summary>
    public double Limit => norms.Count < Fewest ? double.PositiveInfinity : times * Median();

    /// <summary>Notes the norm of a step, and says whether it was above <see cref="Limit"/>.</summary>
    public bool Observe(double norm)
    {
        var isSpike = norm > Limit;
        norms.Add(norm);
        if (norms.Count > Window)
            norms.RemoveAt(0);
        return isSpike;
    }

    private double Median()
    {
        var sorted = norms.Order().ToArray();
        return (sorted[(sorted.Length - 1) / 2] + sorted[sorted.Length / 2]) / 2;
    }
}
