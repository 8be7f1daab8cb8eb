namespace Espalier.Modeling.Training;

/// <summary>Which matrices are pruned while they are trained.</summary>
public enum PrunedWeights
{
    /// <summary>Those of routed experts.</summary>
    Experts,

    /// <summary>Those of routed experts, shared experts and dense feed-forwards.</summary>
    FeedForward,

    /// <summary>Those of feed-forwards and the projections of attention.</summary>
    Matrices,
}

/// <summary>What is pruned as one.</summary>
public enum PrunedUnit
{
    /// <summary>Each number of a matrix.</summary>
    Weight,

    /// <summary>Neurons of routed experts: a row of gate, the same row of up, the same column of down.</summary>
    Neuron,
}

/// <summary>Finds matrices that are pruned, and counts them.</summary>
public static class PrunedMatrices
{
    /// <summary>Matrices in a parameter: of stacked experts one for each gate, up and down; 0 for what is not pruned.</summary>
    public static long CountIn(string name, IReadOnlyList<long> shape, PrunedWeights pruned)
    {
        var isPruned = shape.Count > 1 && !name.EndsWith("shared_expert_gate.weight", StringComparison.Ordinal) && pruned switch
        {
            PrunedWeights.Experts => WeightKinds.IsExpert(name),
            PrunedWeights.FeedForward => WeightKinds.IsFeedForward(name),
            _ => WeightKinds.IsFeedForward(name) || WeightKinds.IsAttention(name),
        };
        return !isPruned ? 0 : shape.Count == 2 ? 1 : name.EndsWith("gate_up_proj", StringComparison.Ordinal) ? 2 * shape[0] : shape[0];
    }

    /// <summary>Weights of a model among which a share is pruned.</summary>
    public static long WeightsOf(ModelConfig config, PrunedWeights pruned) => DecoderLayout.Parameters(config, routerBias: false)
        .Where(parameter => CountIn(parameter.Name, parameter.Shape, pruned) > 0)
        .Sum(parameter => parameter.Shape.Aggregate(1L, (product, extent) => product * extent));
}
