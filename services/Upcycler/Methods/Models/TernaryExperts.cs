using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Upcycler.Duplication;
using Espalier.Upcycler.Growth;

namespace Espalier.Upcycler.Methods.Models;

/// <summary>
/// MoTE (mixture of ternary experts): the dense feed-forward stays as a full-precision shared expert; routed experts have
/// weights in {-1, 0, 1} times one scale per matrix, trained straight through (BitNet b1.58's rule, see
/// <see cref="Ternary"/>). Their latent gate and up start from the dense feed-forward and down at zero, whose scale is zero
/// too, so the function stays exactly the same (our choice; the paper's start is not exact).
/// </summary>
public sealed class TernaryExperts : IModelGrowth
{
    /// <inheritdoc/>
    public string Name => "mote";

    /// <inheritdoc/>
    public string Summary => "Ternary routed experts beside the dense feed-forward, which stays as a shared expert.";

    /// <inheritdoc/>
    public ModelConfig Configure(ModelConfig source, GrowthOptions options) =>
        options.Own<SparseOptions>().Shared == SharedExpert.None
            ? throw new UserInputException("shared: mote needs the full-precision shared expert. Leave 'shared' out, or use method sparse.")
            : DenseToExperts.Configure(source, options, Name, isShared: true) with { TernaryExperts = true };

    /// <inheritdoc/>
    public Task WriteAsync(ModelGrowth growth, CancellationToken cancellationToken) =>
        DenseToExperts.WriteAsync(growth, new ExactCopy(), new(), isShared: true, cancellationToken);

    /// <inheritdoc/>
    public long NewBytes(ModelConfig source, ModelConfig grown, GrowthOptions options, int elementBytes) =>
        SharedExperts.NewBytes(grown, elementBytes);
}
