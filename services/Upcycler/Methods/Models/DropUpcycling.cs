using Espalier.Modeling;
using Espalier.Upcycler.Duplication;
using Espalier.Upcycler.Growth;

namespace Espalier.Upcycler.Methods.Models;

/// <summary>
/// Sparse upcycling in which every expert has a share of its neurons drawn anew, the same neurons in gate, up and down, from
/// the mean and spread of what they replace (Drop-Upcycling, arXiv 2502.19261; ratio 0.5). The published converter draws the
/// neurons of each matrix apart. Ratio 0 is plain sparse upcycling, 1 random experts.
/// </summary>
public sealed class DropUpcycling : IModelGrowth
{
    /// <inheritdoc/>
    public string Name => "drop";

    /// <inheritdoc/>
    public string Summary => "Sparse upcycling with a share of each expert's neurons drawn anew (arXiv 2502.19261).";

    /// <inheritdoc/>
    public ModelConfig Configure(ModelConfig source, GrowthOptions options) =>
        DenseToExperts.Configure(source, options, Name, options.Own<SparseOptions>().Shared == SharedExpert.Dense);

    /// <inheritdoc/>
    public Task WriteAsync(ModelGrowth growth, CancellationToken cancellationToken)
    {
        var own = growth.Options.Own<SparseOptions>();
        return DenseToExperts.WriteAsync(
            growth, new DropUpcycle(), new DuplicationOptions { Ratio = own.Ratio, Initializer = growth.Options.Stage.Duplication?.Initializer },
            isShared: own.Shared == SharedExpert.Dense, cancellationToken);
    }

    /// <inheritdoc/>
    public long NewBytes(ModelConfig source, ModelConfig grown, GrowthOptions options, int elementBytes) =>
        SharedExperts.NewBytes(grown, elementBytes) + (long)grown.SparseLayers.Count * grown.Experts * grown.ExpertParameters * elementBytes;
}
