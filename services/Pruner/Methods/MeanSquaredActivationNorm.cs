using System.Text.Json;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;

namespace Espalier.Pruner.Methods;

/// <summary>
/// MSAN (arXiv 2606.15716): the mean squared output norm over an expert's own tokens, whatever their combine weights.
/// </summary>
public sealed class MeanSquaredActivationNorm : IPruningMethod
{
    private static readonly ActivationStrength Activations = new(gates: false, OutputStrength.SquaredNorm);

    /// <inheritdoc/>
    public string Name => "msan";

    /// <inheritdoc/>
    public string Summary => "Mean squared output norm over an expert's tokens, without combine weights (MSAN, 2026).";

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
