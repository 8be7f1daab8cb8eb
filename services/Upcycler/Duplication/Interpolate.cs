using Espalier.Upcycler.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>
/// W' = (1 - a) W + a W_n with the weight a on the other expert n, as in the published code; n is the expert whose router
/// row is most similar, or by option the next by index (Expert Upcycling, arXiv 2604.19835).
/// </summary>
public sealed class Interpolate : IExpertDuplication
{
    /// <inheritdoc/>
    public string Name => "interpolate";

    /// <inheritdoc/>
    public string Summary => "Mixed with another expert (arXiv 2604.19835).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Alike;

    /// <inheritdoc/>
    public bool KeepsFunction => false;

    /// <inheritdoc/>
    public bool NeedsPeer => true;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["mix", "neighbor"];

    /// <inheritdoc/>
    public Tensor Duplicate(ExpertMatrix matrix, DuplicationOptions options) =>
        matrix.Weight * (1 - (options.Mix ?? 0.5)) + matrix.Peer() * (options.Mix ?? 0.5);
}
