using Espalier.Upcycler.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>
/// Noise on the singular value decomposition (Expert Upcycling, arXiv 2604.19835; values 0.1, vectors 0.05), as
/// <see cref="Svd"/> has it.
/// </summary>
public sealed class SvdPerturb : IExpertDuplication
{
    /// <inheritdoc/>
    public string Name => "svd-perturb";

    /// <inheritdoc/>
    public string Summary => "Noise on singular values and vectors (arXiv 2604.19835, corrected).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Distinct;

    /// <inheritdoc/>
    public bool KeepsFunction => false;

    /// <inheritdoc/>
    public bool NeedsPeer => false;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["value-noise", "vector-noise", "drop"];

    /// <inheritdoc/>
    public Tensor Duplicate(ExpertMatrix matrix, DuplicationOptions options) =>
        Svd.Perturb(matrix.Weight, options.ValueNoise ?? 0.1, options.VectorNoise ?? 0.05, options.Drop ?? 0, matrix.Own);
}
