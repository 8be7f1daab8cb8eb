using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Modeling.Training;

namespace Espalier.CptTrainer.Training;

/// <summary>What the options come to, in sentences for the plan, the log and the report.</summary>
internal static class TrainChoices
{
    /// <summary>What was chosen for the user, and what an option costs.</summary>
    /// <param name="asked">The options as they were written.</param>
    /// <param name="resolved">The options with numbers for what was left to the trainer.</param>
    /// <param name="config">The model as it is trained.</param>
    public static IReadOnlyList<string> Describe(TrainOptions asked, TrainOptions resolved, ModelConfig config) =>
    [
        .. StepLaw.Describe(asked, resolved), .. OfBalanceScope(resolved), .. OfPruning(resolved), .. OfSparsify(resolved, config),
        .. OfRouters(resolved, config), .. OfKernels(resolved, config),
    ];

    /// <summary>Whether each micro-batch runs forward once more, so that the counts of a whole step are known before its first backward pass.</summary>
    public static bool CountsAhead(TrainOptions options) => options.BalanceScope == BalanceScope.Global && options.Accumulate > 1;

    private static IEnumerable<string> OfBalanceScope(TrainOptions options)
    {
        if (CountsAhead(options))
            yield return $"balance-scope: global runs each of the {options.Accumulate} micro-batches of a step forward once more: a third more arithmetic.";
        else if (options.BalanceScope == BalanceScope.Global)
            yield return "balance-scope: global is the same as batch here, since a step has one micro-batch.";
    }

    private static IEnumerable<string> OfPruning(TrainOptions options)
    {
        if (options.PruneSamples is not null)
            yield return "prune-samples runs the model forward over all training text before the first step, and again where a stopped run goes on: a third of "
                + "the arithmetic of training on it once.";
    }

    private static IEnumerable<string> OfSparsify(TrainOptions options, ModelConfig config)
    {
        if (options.Sparsify is { } sparsify)
            yield return Sparsification.Describe(sparsify, TrainPlan.Of(options), config);
    }

    private static IEnumerable<string> OfRouters(TrainOptions options, ModelConfig config)
    {
        if (MixtureMethods.FollowsTokens(options, config))
            yield return "Routers of k-means follow the means of each expert's tokens, without gradients. Other loaders run them as learned ones.";
    }

    private static IEnumerable<string> OfKernels(TrainOptions options, ModelConfig config)
    {
        var plain = new List<string>();
        if (options.BalanceScope == BalanceScope.Sequence)
            plain.Add("balance-scope: sequence");
        if (options.Dropout > 0)
            plain.Add("dropout");
        if (options.ExpertDropout > 0)
            plain.Add("expert-dropout");
        if (options.Capacity is not null)
            plain.Add("capacity");
        if (config.TopP is not null)
            plain.Add("top-p");
        if (MixtureMethods.FollowsTokens(options, config))
            plain.Add("router: k-means");
        if (MixtureMethods.EntropyLoss(options, config) > 0)
            plain.Add("entropy-loss");
        if (plain.Count > 0)
            yield return $"There are no fused kernels for {string.Join(" and ", plain)}: training runs with tensor operations, which takes longer on a CPU.";
    }
}
