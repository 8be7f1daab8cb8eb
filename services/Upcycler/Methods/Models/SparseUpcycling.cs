using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Upcycler.Duplication;
using Espalier.Upcycler.Growth;

namespace Espalier.Upcycler.Methods.Models;

/// <summary>
/// Dense to mixture: every chosen feed-forward becomes E copies of itself and a fresh router R ~ N(0, 0.02^2); all else stays
/// (Sparse Upcycling, arXiv 2212.05055). With gates that sum to 1 the function is the same, whatever K and router; random
/// router rows tell the copies apart.
/// </summary>
public sealed class SparseUpcycling : IModelGrowth
{
    /// <inheritdoc/>
    public string Name => "sparse";

    /// <inheritdoc/>
    public string Summary => "Makes each dense feed-forward E equal experts and a fresh router (arXiv 2212.05055).";

    /// <inheritdoc/>
    public ModelConfig Configure(ModelConfig source, GrowthOptions options)
    {
        if (ExpertDuplication.Of(options.Stage).NeedsPeer)
            throw new UserInputException($"duplication.method: {ExpertDuplication.Of(options.Stage).Name} needs a second expert, and a dense layer has one "
                + "feed-forward. Use copy, copy-noise or drop-upcycle.");
        return DenseToExperts.Configure(source, options, Name, IsShared(options));
    }

    /// <inheritdoc/>
    public Task WriteAsync(ModelGrowth growth, CancellationToken cancellationToken) =>
        DenseToExperts.WriteAsync(growth, ExpertDuplication.Of(growth.Options.Stage), growth.Options.Stage.Duplication
            ?? new(), IsShared(growth.Options), cancellationToken);

    /// <inheritdoc/>
    public long NewBytes(ModelConfig source, ModelConfig grown, GrowthOptions options, int elementBytes) =>
        SharedExperts.NewBytes(grown, elementBytes)
        + (ExpertDuplication.Of(options.Stage) is ExactCopy ? 0 : (long)grown.SparseLayers.Count * grown.Experts * grown.ExpertParameters * elementBytes);

    private static bool IsShared(GrowthOptions options) => options.Own<SparseOptions>().Shared == SharedExpert.Dense;
}
