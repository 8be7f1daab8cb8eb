using System.Text.Json;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;

namespace Espalier.Pruner.Methods;

/// <summary>
/// MAN (arXiv 2606.15716): the mean output norm over an expert's own tokens, whatever their combine weights.
/// </summary>
public sealed class MeanActivationNorm : IPruningMethod
{
    private static readonly ActivationStrength Activations = new(gates: false, OutputStrength.Norm);

    /// <inheritdoc/>
    public string Name => "man";

    /// <inheritdoc/>
    public string Summary => "Mean output norm over an expert's tokens, without combine weights (MAN, 2026).";

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
