using Espalier.Upcycler.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>W' = W: the paper's recommended method (Expert Upcycling, arXiv 2604.19835). No bytes are new.</summary>
public sealed class ExactCopy : IExpertDuplication
{
    /// <inheritdoc/>
    public string Name => "copy";

    /// <inheritdoc/>
    public string Summary => "The source unchanged (arXiv 2604.19835).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Equal;

    /// <inheritdoc/>
    public bool KeepsFunction => true;

    /// <inheritdoc/>
    public bool NeedsPeer => false;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => [];

    /// <inheritdoc/>
    public Tensor Duplicate(ExpertMatrix matrix, DuplicationOptions options) => matrix.Weight.alias();
}
