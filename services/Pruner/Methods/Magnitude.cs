using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Methods;

/// <summary>
/// The smallest weights of every row become zero: |W_ij|. The baseline of unstructured sparsity; needs no text. Shapes and file size stay.
/// </summary>
[MethodOptions(typeof(PruneOptions), "magnitude")]
public sealed class Magnitude : IPruningMethod
{
    /// <inheritdoc/>
    public string Name => "magnitude";

    /// <inheritdoc/>
    public string Summary => "Sets the smallest weights of every row to zero; the file stays as large, no text is needed.";

    /// <inheritdoc/>
    public IReadOnlyList<Granularity> Granularities => [Granularity.Weight];

    /// <inheritdoc/>
    public CalibrationNeed Need => CalibrationNeed.None;

    /// <inheritdoc/>
    public Tensor ScoreWeights(int expert, string projection, LayerSums sums, ScoreRequest request)
    {
        using var scope = NewDisposeScope();
        return request.Weights.Expert(expert, projection).abs().MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public double[] Score(LayerSums sums, ScoreRequest request) => throw new NotSupportedException($"{Name} ranks single weights.");
}
