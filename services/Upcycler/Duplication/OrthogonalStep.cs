using Espalier.Upcycler.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>
/// W' = ||W|| (W + e ||W|| P/||P||) / ||...|| with P = N - (&lt;N, W&gt; / &lt;W, W&gt;) W: a small step in a random direction at
/// right angles to W, of the same norm. The published code keeps only Q of a QR of noisy W: a flat spectrum that has
/// nothing of W and is not orthogonal to it (Expert Upcycling, arXiv 2604.19835).
/// </summary>
public sealed class OrthogonalStep : IExpertDuplication
{
    /// <inheritdoc/>
    public string Name => "orthogonal";

    /// <inheritdoc/>
    public string Summary => "A small step at right angles to the source, of the same norm (arXiv 2604.19835, corrected).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Distinct;

    /// <inheritdoc/>
    public bool KeepsFunction => false;

    /// <inheritdoc/>
    public bool NeedsPeer => false;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["noise"];

    /// <inheritdoc/>
    public Tensor Duplicate(ExpertMatrix matrix, DuplicationOptions options)
    {
        var weight = matrix.Weight;
        var norm = weight.norm();
        if (norm.item<float>() == 0)
            return weight.alias(); // zero has no direction to be at right angles to
        var noise = ExpertMatrix.Normal(matrix.Own, weight.shape);
        var step = noise - (noise * weight).sum() / (weight * weight).sum() * weight;
        if (step.norm().item<float>() == 0)
            return weight.alias();
        var moved = weight + step * (norm / step.norm()) * (options.Noise ?? 0.1);
        return moved * (norm / moved.norm());
    }
}
