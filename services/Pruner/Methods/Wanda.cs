using System.Text.Json;
using Espalier.Modeling;
using Espalier.Pruner.Calibration;
using static TorchSharp.torch;

namespace Espalier.Pruner.Methods;

/// <summary>
/// Wanda (arXiv 2306.11695): of every row, the weights of the least magnitude times input norm become zero. Shapes and file size stay.
/// </summary>
public sealed class Wanda : IPruningMethod
{
    /// <inheritdoc/>
    public string Name => "wanda";

    /// <inheritdoc/>
    public string Summary => "Sets the weights of least magnitude times input norm in every row to zero; the file stays as large (Wanda, ICLR 2024).";

    /// <inheritdoc/>
    public IReadOnlyList<Granularity> Granularities => [Granularity.Weight];

    /// <inheritdoc/>
    public CalibrationNeed Need => CalibrationNeed.Activations;

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
