using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using FluentValidation;

namespace Espalier.CptTrainer.Training.Teams;

/// <summary>What several workers cannot do together.</summary>
internal sealed class TeamRules : AbstractValidator<TrainOptions>
{
    public TeamRules() => RuleFor(options => options.Workers).Custom((_, context) =>
    {
        if (ProblemOf(context.InstanceToValidate) is { } problem)
            context.AddFailure(problem);
    });

    /// <summary>Refuses options that do not go together, and models whose experts cannot be shared out.</summary>
    /// <exception cref="UserInputException">They cannot.</exception>
    public static void Check(ModelConfig config, TrainOptions options)
    {
        if (ProblemOf(options) is { } problem)
            throw new UserInputException(problem + ".");
        if (options.Workers is not > 1)
            return;
        if (!config.IsMixture)
            throw new UserInputException($"workers is {options.Workers}, but this model has no experts to share out: leave 'workers' out.");
        if (options.Workers > config.Experts)
            throw new UserInputException($"workers is {options.Workers}, but this model has {config.Experts} experts: say at most {config.Experts}.");
    }

    private static string? ProblemOf(TrainOptions options) => options switch
    {
        { Workers: null, SynchroniseSteps: not null } =>
            "'synchronise-steps' says how often several workers exchange what they trained: say in 'workers' how many there are, or leave it out",
        { Workers: not > 1 } => null,
        { Optimizer: not OptimizerNames.AdamW } => $"several workers train with 'optimizer: {OptimizerNames.AdamW}' only: use that, or leave 'workers' out",
        { OptimizerState: not OptimizerStart.Reset } => "several workers start with moments of zero: use 'optimizer-state: reset', or leave 'workers' out",
        { Only: not [WeightGroup.All] } => "several workers train all weights: leave 'only' out, or 'workers'",
        { Ema: not null } => "several workers make no moving average of the weights: leave 'ema' out, or 'workers'",
        { Stable: true } => "several workers make no copy from before the decay: leave 'stable' out, or 'workers'",
        { Elastic: not null } => "several workers train for one number of experts per token: leave 'elastic' out, or 'workers'",
        { Sparsify: not null } => "several workers prune nothing while they train: leave 'sparsify' out, or 'workers'",
        { Batch: StepLaw.Auto } or { LearningRate: StepLaw.Auto } =>
            $"the Step Law behind '{StepLaw.Word}' is about one worker: write 'batch' and 'learning-rate' as numbers, or leave 'workers' out",
        _ => null,
    };
}
