using System.Text.Json;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;

namespace Espalier.Pruner.Methods;

/// <summary>
/// REAP (arXiv 2510.13999): the mean of combine weight times output norm over an expert's own tokens.
/// </summary>
public sealed class Reap : IPruningMethod
{
    private static readonly ActivationStrength Activations = new(gates: true, OutputStrength.Norm);

    /// <inheritdoc/>
    public string Name => "reap";

    /// <inheritdoc/>
    public string Summary => "Mean of combine weight times output norm over an expert's tokens (REAP, 2025).";

    /// <inheritdoc/>
    public IReadOnlyList<Granularity> Granularities => [Granularity.Expert];

    /// <inheritdoc/>
    public CalibrationNeed Need => CalibrationNeed.Activations;

    /// <inheritdoc/>
    public IReadOnlyList<string> Sums(JsonElement options) => [ActivationStrength.Strengths];

    /// <inheritdoc/>
    public void ObserveBlock(BlockObservation seen, LayerSums sums) => Activations.Observe(seen, sums);

    /// <inheritdoc/>
    public IEnumerable<string> Problems(PruneOptions options, JsonElement written, ModelConfig config) => Activations.Problems(written);

    /// <inheritdoc/>
    public IReadOnlyList<int> Fallbacks(LayerSums sums, JsonElement options) => sums.Unrouted;

    /// <inheritdoc/>
    public double[] Score(LayerSums sums, ScoreRequest request) => ActivationStrength.Score(sums, request);
}
