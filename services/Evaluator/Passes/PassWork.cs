using Espalier.Evaluator.Routing;
using Espalier.Evaluator.Texts;
using Espalier.Modeling;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Passes;

/// <summary>
/// What one pass does: batches go through the layers of one model, or of two, and numbers are made of the streams behind the last ones.
/// Whether whole models are in memory meanwhile changes no bit of them.
/// </summary>
internal sealed record PassWork
{
    /// <summary>What is being done, for progress.</summary>
    public required string Phase { get; init; }

    /// <summary>What <see cref="ITokenBatch.Scored"/> counts.</summary>
    public required string Unit { get; init; }

    /// <summary>The models that read every batch.</summary>
    public required IReadOnlyList<ModelUnderTest> Models { get; init; }

    /// <summary>What they read.</summary>
    public required IReadOnlyList<ITokenBatch> Batches { get; init; }

    /// <summary>The numbers of one batch, given what is behind the layers of each model; without gradients, in a dispose scope.</summary>
    public required Func<ITokenBatch, IReadOnlyList<BehindLayers>, double[]> Finish { get; init; }

    /// <summary>Counts the routing of the only model; null for nothing.</summary>
    public RoutingCounter? Routing { get; init; }
}

/// <summary>What is behind the last layer of a model.</summary>
/// <param name="Head">Has the last norm and the head.</param>
/// <param name="Rows">(B L, H), where the head is.</param>
internal readonly record struct BehindLayers(MoeDecoder Head, Tensor Rows);
