using Espalier.Upcycler.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>
/// Scales the expert's output by s: down' = s down. With <c>matrices: all</c> every matrix is scaled, as in the published
/// code, and the output by about s^3 (Expert Upcycling, arXiv 2604.19835; s 0.95).
/// </summary>
public sealed class ScaledCopy : IExpertDuplication
{
    /// <inheritdoc/>
    public string Name => "scaled-copy";

    /// <inheritdoc/>
    public string Summary => "The output scaled (arXiv 2604.19835, corrected).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Alike;

    /// <inheritdoc/>
    public bool KeepsFunction => false;

    /// <inheritdoc/>
    public bool NeedsPeer => false;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["scale", "matrices"];

    /// <inheritdoc/>
    public Tensor Duplicate(ExpertMatrix matrix, DuplicationOptions options) =>
        matrix.Projection == "down" || options.Matrices == ScaledMatrices.All ? matrix.Weight * (options.Scale ?? 0.95) : matrix.Weight.alias();
}
