using Espalier.Upcycler.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>
/// W' = W + lambda std(W) N with standard normal N (Expert Upcycling, arXiv 2604.19835). The spread is each matrix's own;
/// the published code takes one over gate and up together.
/// </summary>
public sealed class NoisyCopy : IExpertDuplication
{
    /// <inheritdoc/>
    public string Name => "copy-noise";

    /// <inheritdoc/>
    public string Summary => "Normal noise relative to each matrix's spread (arXiv 2604.19835).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Distinct;

    /// <inheritdoc/>
    public bool KeepsFunction => false;

    /// <inheritdoc/>
    public bool NeedsPeer => false;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["noise"];

    /// <inheritdoc/>
    public Tensor Duplicate(ExpertMatrix matrix, DuplicationOptions options) =>
        matrix.Weight + ExpertMatrix.Normal(matrix.Own, matrix.Weight.shape) * ExpertMatrix.Spread(matrix.Weight) * (options.Noise ?? 0.01);
}
