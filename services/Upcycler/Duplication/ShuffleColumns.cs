using Espalier.Upcycler.Planning;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Duplication;

/// <summary>
/// One permutation of the neurons on rows of gate and up and columns of down, which computes the same function: only a
/// relabelling, kept for comparison (Expert Upcycling, arXiv 2604.19835). The published code permutes inputs of gate and up
/// and neurons of down apart, which destroys the expert.
/// </summary>
public sealed class ShuffleColumns : IExpertDuplication
{
    /// <inheritdoc/>
    public string Name => "shuffle-columns";

    /// <inheritdoc/>
    public string Summary => "Neurons in another order: the same function (arXiv 2604.19835).";

    /// <inheritdoc/>
    public CopyKind Copies => CopyKind.Equal;

    /// <inheritdoc/>
    public bool KeepsFunction => true;

    /// <inheritdoc/>
    public bool NeedsPeer => false;

    /// <inheritdoc/>
    public IReadOnlyList<string> Settings => [];

    /// <inheritdoc/>
    public Tensor Duplicate(ExpertMatrix matrix, DuplicationOptions options)
    {
        var random = matrix.Expert();
        var order = Enumerable.Range(0, matrix.Neurons).Select(n => (long)n).ToArray();
        for (var i = 0; i < order.Length - 1; i++)
        {
            var j = i + random.NextIndex(order.Length - i);
            (order[i], order[j]) = (order[j], order[i]);
        }
        return matrix.Weight.index_select(matrix.NeuronDimension, tensor(order));
    }
}
