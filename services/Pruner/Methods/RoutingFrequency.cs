using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;

namespace Espalier.Pruner.Methods;

/// <summary>
/// f_e = T_e / (K T): how often the router picks an expert. A baseline for smarter criteria; sums to 1 over a layer.
/// </summary>
[MethodOptions(typeof(PruneOptions), "frequency")]
public sealed class RoutingFrequency : IPruningMethod
{
    /// <inheritdoc/>
    public string Name => "frequency";

    /// <inheritdoc/>
    public string Summary => "How often the router picks an expert on the calibration text.";

    /// <inheritdoc/>
    public IReadOnlyList<Granularity> Granularities => [Granularity.Expert];

    /// <inheritdoc/>
    public CalibrationNeed Need => CalibrationNeed.Activations;

    /// <inheritdoc/>
    public double[] Score(LayerSums sums, ScoreRequest request)
    {
        var assignments = Math.Max(1, sums.Tokens.Sum());
        return [.. sums.Tokens.Select(t => (double)t / assignments)];
    }
}
