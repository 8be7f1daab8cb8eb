using Espalier.Modeling.Training;
using Espalier.Pipelines.Options;
using FluentValidation;

namespace Espalier.CptTrainer.Options;

/// <summary>How weights are pruned while the model is trained, see <see cref="SparsitySchedule"/> and <see cref="PruningMasks"/>.</summary>
public sealed record SparsifyOptions
{
    /// <summary>Share of each matrix that is zero at the end.</summary>
    [Option("Share of each matrix that is zero at the end.", Required = true, Min = 0.001, Max = 0.99)]
    public double To { get; init; }

    /// <summary>Share of the run after which pruning begins.</summary>
    /// <value>0.25</value>
    [Option("Share of the run after which pruning begins.", Min = 0, Max = 1)]
    public double FromShare { get; init; } = 0.25;

    /// <summary>Share of the run after which the final share is reached.</summary>
    /// <value>0.75</value>
    [Option("Share of the run after which the final share is reached; the rest trains what is left.", Min = 0, Max = 1)]
    public double UntilShare { get; init; } = 0.75;

    /// <summary>Shape of the rise.</summary>
    /// <value>cubic</value>
    [Option("How the share rises: cubic, fast first and ever slower; linear.")]
    public SparsityRamp Ramp { get; init; }

    /// <summary>Optimizer steps between prunings.</summary>
    /// <value>a hundredth of the rise</value>
    [Option("Optimizer steps between prunings; left out: a hundredth of the rise, at least one.", Min = 1, Max = 1e9)]
    public long? Every { get; init; }

    /// <summary>What is pruned as one.</summary>
    /// <value>weight</value>
    [Option("weight: single numbers, those with the least magnitude; neuron: whole neurons of experts, which 'prune' with the same ratio then cuts out.")]
    public PrunedUnit Granularity { get; init; }

    /// <summary>Which matrices.</summary>
    /// <value>experts of a mixture, feed-forward of a dense model</value>
    [Option("Which matrices: experts; feed-forward: experts, shared experts and dense feed-forwards; matrices: those and attention's projections; left out: "
        + "experts of a mixture, feed-forward of a dense model.")]
    public PrunedWeights? Weights { get; init; }
}

/// <summary>A beginning before the end, and neurons of what has them.</summary>
internal sealed class SparsifyRules : AbstractValidator<TrainOptions>
{
    public SparsifyRules()
    {
        RuleFor(options => options.Sparsify)
            .Must(sparsify => sparsify is null || sparsify.FromShare <= sparsify.UntilShare)
            .WithMessage("'sparsify.from-share' is above 'sparsify.until-share': write the smaller number in 'from-share'");
        RuleFor(options => options.Sparsify)
            .Must(sparsify => sparsify is not { Granularity: PrunedUnit.Neuron, Weights: not (null or PrunedWeights.Experts) })
            .WithMessage("'sparsify.granularity: neuron' is about neurons of experts: write 'weights: experts', or leave 'granularity' out");
    }
}
