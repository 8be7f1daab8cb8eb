using System.Numerics;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Metrics;

namespace Espalier.Upcycler.Planning;

/// <summary>Which options go together, checked before any tensor is read; every problem is reported with its remedy.</summary>
public static class UpcycleRules
{
    private const int MaximumExperts = 1 << 16;

    /// <summary>Refuses combinations that cannot work.</summary>
    /// <param name="options">The stage's options.</param>
    /// <param name="config">Configuration of the source.</param>
    /// <param name="hasTrainerState">Whether the source's trainer state is among the inputs.</param>
    /// <exception cref="UserInputException">All problems.</exception>
    public static void Check(UpcycleOptions options, ModelConfig config, bool hasTrainerState)
    {
        if (!config.IsMixture)
            throw new UserInputException([new Problem("upcycle", 0, 0, $"method: {options.Method} copies experts, and this model has none. "
                + "Use method sparse, drop or split to make experts of its feed-forward layers.")]);
        var problems = new List<string>();
        CheckSize(options, config, problems);
        problems.AddRange(LayerRules.Check(options, config));
        CheckMetric(options, config, hasTrainerState, problems);
        CheckOptimizerState(options, config, hasTrainerState, problems);
        CheckWide(options, config, problems);
        CheckGroups(options, config, problems);
        if (config.TopP is not null && options.Preserve is (Preservation.SiblingExclusive or Preservation.Wide))
            problems.Add($"preserve: {WireName(options.Preserve)} keeps the copies of an expert together, and this model has top-p routing, which counts each "
                + "on its own. Use preserve frozen, or end top-p routing by training with 'top-p: 1'.");
        if (config.SiblingExclusive)
            problems.Add("the model still routes by sibling groups of an earlier growth. Continue its training with 'release-siblings' below 1 first, "
                + "which ends in free routing.");
        if (problems.Count > 0)
            throw new UserInputException([.. problems.Select(p => new Problem("upcycle", 0, 0, p))]);
    }

    /// <summary>Experts per token right after growth.</summary>
    public static int ExpertsPerToken(ModelConfig config, UpcycleOptions options) =>
        config.ExpertsPerToken * (options.Preserve == Preservation.Wide ? LayerPlanner.Experts(config.Experts, options) / config.Experts : 1);

    private static void CheckSize(UpcycleOptions options, ModelConfig config, List<string> problems)
    {
        if (options.Multiplier is { } multiplier && (multiplier < 2 || !BitOperations.IsPow2(multiplier)))
            problems.Add($"multiplier: {multiplier} cannot be reached by doublings. Use 2, 4, 8, ..., or give the copies of every expert in 'counts'.");
        var sizes = config.SparseLayers
            .Select(layer => options.In(layer).Counts is { } counts ? counts.Sum(count => (long)count)
                : (long)config.Experts * (options.Multiplier ?? LayerPlanner.DefaultMultiplier)).Distinct().ToList();
        if (sizes.Count > 1)
            problems.Add($"layer-plans: layers would have {string.Join(" and ", sizes.Order())} experts, and config.json has one number for all. "
                + "Give counts with equal sums.");
        if (sizes.Max() > MaximumExperts)
            problems.Add($"multiplier: {sizes.Max()} experts per layer are more than the {MaximumExperts} that a checkpoint may have. Use a smaller one.");
        if (options.Counts is not null && options.Multiplier is { } given && sizes.Max() != (long)config.Experts * given)
            problems.Add($"multiplier: {given} times {config.Experts} experts is not the sum of counts, {sizes.Max()}. Leave multiplier out.");
    }

    private static void CheckMetric(UpcycleOptions options, ModelConfig config, bool hasTrainerState, List<string> problems)
    {
        var metric = Stages.Methods.MethodCatalog<IUsefulnessMetric>.Get(options.Metric, "metric");
        if (!NeedsScores(options, config))
            return;
        if (metric.NeedsGradients && options.Calibration?.Data is null)
            problems.Add($"metric: {metric.Name} needs gradients: add calibration: {{ data: corpus:NAME or file:PATH }}, or use weight-norm.");
        if (metric.NeedsSecondMoments && !hasTrainerState)
            problems.Add($"metric: {metric.Name} needs the optimizer's second moments, and no trainer-state is among the inputs. "
                + "Upcycle right after a train step, or use gradient-squared.");
        if (config.Quantization is not null)
            problems.Add($"metric: {metric.Name} reads weights, which this model stores packed. "
                + "Grow it with method copy, or grow the model it was quantized from.");
        if (options.Calibration is { } calibration && calibration.Batches > calibration.Samples)
            problems.Add($"calibration.batches: {calibration.Batches} batches cannot be made of {calibration.Samples} samples. "
                + "Raise samples or lower batches.");
    }

    /// <summary>Whether any layer ranks its experts.</summary>
    public static bool NeedsScores(UpcycleOptions options, ModelConfig config) => config.SparseLayers.Any(layer => LayerRules.NeedsScores(options.In(layer)));

    private static void CheckOptimizerState(UpcycleOptions options, ModelConfig config, bool hasTrainerState, List<string> problems)
    {
        var policy = WireName(options.OptimizerState);
        if (options.OptimizerState != OptimizerStatePolicy.Reset && !hasTrainerState)
            problems.Add($"optimizer-state: {policy} needs the source's trainer-state among the inputs. Upcycle right after a train step, or use reset.");
        if (options.OptimizerState == OptimizerStatePolicy.Interpolate && config.Experts < 2)
            problems.Add("optimizer-state: interpolate needs a second expert, and the model has one. Use copy.");
    }

    // A token chooses groups before experts; the exact starts say what then must hold.
    private static void CheckGroups(UpcycleOptions options, ModelConfig config, List<string> problems)
    {
        if (config.ExpertGroups == 1)
            return;
        if (options.Preserve == Preservation.SiblingExclusive)
            problems.Add($"preserve: sibling-exclusive routes by sibling groups, and this model already routes by {config.ExpertGroups} groups (n_group). "
                + "Use preserve frozen.");
        if (options.Preserve == Preservation.Wide && config.GroupScoreMembers > 1)
            problems.Add($"preserve: wide is not exact here: a group's score is the sum of its best {config.GroupScoreMembers} experts, and copies would "
                + "count twice. Use preserve frozen.");
    }

    private static void CheckWide(UpcycleOptions options, ModelConfig config, List<string> problems)
    {
        if (options.Preserve == Preservation.Wide && config.ScoreFunction == ScoreFunction.Sigmoid && !config.NormalizeTopK)
            problems.Add("preserve: wide would add up equal sigmoid gates of every source, which this model does not renormalise. Use sibling-exclusive.");
    }

    internal static string WireName<T>(T value) where T : struct, Enum =>
        System.Text.Json.JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());
}
