using System.Text.Json;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using static TorchSharp.torch;

namespace Espalier.Pruner.Methods;

/// <summary>
/// 2:4 sparsity: of every four neighbours in a row, the two of the least magnitude times input norm become zero (score of Wanda,
/// arXiv 2306.11695). Hardware with sparse matrix units can use the pattern; here, shapes, file size and speed stay.
/// </summary>
public sealed class TwoFour : IPruningMethod
{
    /// <inheritdoc/>
    public string Name => "two-four";

    /// <inheritdoc/>
    public string Summary => "Sets two of every four neighbouring weights to zero, by the score of Wanda; the file stays as large (2:4).";

    /// <inheritdoc/>
    public IReadOnlyList<Granularity> Granularities => [Granularity.Weight];

    /// <inheritdoc/>
    public CalibrationNeed Need => CalibrationNeed.Activations;

    /// <inheritdoc/>
    public WeightPattern Pattern => WeightPattern.TwoOfFour;

    /// <inheritdoc/>
    public IEnumerable<string> Problems(PruneOptions options, JsonElement written, ModelConfig config)
    {
        if (options.Ratio is not (0 or 0.5))
            yield return $"ratio: two of four is one half, not {options.Ratio}. Set ratio: 0.5, or use method wanda for another share.";
        foreach (var (name, width) in new[] { ("hidden size", config.HiddenSize), ("expert width", config.ExpertSize) })
            if (width % 4 != 0)
                yield return $"method: the {name} of this model, {width}, is not a multiple of four, so its rows have no whole groups. Use method wanda.";
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> Sums(JsonElement options) => InputNorms.Sums;

    /// <inheritdoc/>
    public void ObserveBlock(BlockObservation seen, LayerSums sums) => InputNorms.Observe(seen, sums);

    /// <inheritdoc/>
    public IReadOnlyList<int> Fallbacks(LayerSums sums, JsonElement options) => InputNorms.Fallbacks(sums, options);

    /// <inheritdoc/>
    public Tensor ScoreWeights(int expert, string projection, LayerSums sums, ScoreRequest request) =>
        InputNorms.Score(expert, projection, sums, request);

    /// <inheritdoc/>
    public double[] Score(LayerSums sums, ScoreRequest request) => throw new NotSupportedException($"{Name} ranks single weights.");
}
