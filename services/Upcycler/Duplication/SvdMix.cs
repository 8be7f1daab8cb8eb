using Espalier.Upcycler.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>
/// Keeps the singular values and replaces floor(ratio rank) pairs of singular vectors, chosen at random, by those of another
/// expert with the same index (Expert Upcycling, arXiv 2604.19835; ratio 0.3). The published code never hands over the
/// other expert, and falls back to svd-perturb.
/// </summary>
public sealed class SvdMix : IExpertDuplication
{
    /// <inheritdoc/>
    public string Name => "svd-mix";

    /// <inheritdoc/>
    public string Summary => "Some singular vectors of another expert (arXiv 2604.19835, corrected).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Distinct;

    /// <inheritdoc/>
    public bool KeepsFunction => false;

    /// <inheritdoc/>
    public bool NeedsPeer => true;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => ["ratio"];

    /// <inheritdoc/>
    public Tensor Duplicate(ExpertMatrix matrix, DuplicationOptions options)
    {
        var (u, s, vh) = linalg.svd(matrix.Weight, fullMatrices: false);
        var rank = (int)s.shape[0];
        var count = (int)Math.Floor((options.Ratio ?? 0.3) * rank);
        if (count == 0)
            return matrix.Weight.alias();
        var (otherU, _, otherVh) = linalg.svd(matrix.Peer(), fullMatrices: false);
        var replaced = tensor(matrix.Own.Sample(rank, count).Select(i => (long)i).ToArray());
        var (left, right) = (u.clone(), vh.clone());
        left.index_copy_(1, replaced, otherU.index_select(1, replaced));
        right.index_copy_(0, replaced, otherVh.index_select(0, replaced));
        return (left * s).matmul(right);
    }
}
