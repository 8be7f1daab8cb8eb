using System.Numerics;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Metrics;
using Espalier.Upcycler.Routers;

namespace Espalier.Upcycler.Planning;

/// <summary>Which options go together, checked before any tensor is read; every problem is reported with its remedy.</summary>
public static class UpcycleRules
{
    /// <summary>Refuses combinations that cannot work.</summary>
    /// <param name="options">The stage's options.</param>
    /// <param name="config">Configuration of the source.</param>
    /// <param name="hasTrainerState">Whether the source's trainer state is among the inputs.</param>
    /// <exception cref="UserInputException">All problems.</exception>
    public static void Check(UpcycleOptions options, ModelConfig config, bool hasTrainerState)
    {
        var problems = new List<string>();
        var method = Stages.Methods.MethodCatalog<IUpcycleMethod>.Get(options.Method, "method");
        var metric = Stages.Methods.MethodCatalog<IUsefulnessMetric>.Get(options.Metric, "metric");
        var router = RouterExtension.Of(options);

        if (options.Multiplier < 2 || !BitOperations.IsPow2(options.Multiplier))
            problems.Add($"multiplier: {options.Multiplier} cannot be reached by doublings. Use 2, 4, 8, ...");
        CheckMetric(options, method, metric, config, hasTrainerState, problems);
        CheckOptimizerState(options, hasTrainerState, problems);
        CheckRouter(options, router, problems);
        CheckPreservation(options, method, router, config, problems);
        if (config.SiblingExclusive)
            problems.Add("the model still routes by sibling groups of an earlier growth. Continue its training with 'release-siblings' below 1 first, which ends in free routing.");
        if (problems.Count > 0)
            throw new UserInputException([.. problems.Select(p => new Problem("upcycle", 0, 0, p))]);
    }

    private static void CheckMetric(
        UpcycleOptions options, IUpcycleMethod method, IUsefulnessMetric metric, ModelConfig config, bool hasTrainerState, List<string> problems)
    {
        if (!method.NeedsScores)
            return;
        if (metric.NeedsGradients && options.Calibration?.Data is null)
            problems.Add($"metric: {metric.Name} needs gradients: add calibration: {{ data: corpus:NAME or file:PATH }}, or use weight-norm.");
        if (metric.NeedsSecondMoments && !hasTrainerState)
            problems.Add($"metric: {metric.Name} needs the optimizer's second moments, and no trainer-state is among the inputs. Upcycle right after a train step, or use gradient-squared.");
        if (config.Quantization is not null)
            problems.Add($"metric: {metric.Name} reads weights, which this model stores packed. Grow it with method copy, or grow the model it was quantized from.");
        if (options.Calibration is { } calibration && calibration.Batches > calibration.Samples)
            problems.Add($"calibration.batches: {calibration.Batches} batches cannot be made of {calibration.Samples} samples. Raise samples or lower batches.");
    }

    private static void CheckOptimizerState(UpcycleOptions options, bool hasTrainerState, List<string> problems)
    {
        if (options.OptimizerState == OptimizerStatePolicy.Copy && !hasTrainerState)
            problems.Add("optimizer-state: copy needs the source's trainer-state among the inputs. Upcycle right after a train step, or use reset.");
        if (options.OptimizerState is OptimizerStatePolicy.Scale or OptimizerStatePolicy.Interpolate)
            problems.Add($"optimizer-state: {WireName(options.OptimizerState)} is not available yet. Use reset or copy.");
    }

    private static void CheckRouter(UpcycleOptions options, IRouterExtension router, List<string> problems)
    {
        if (router.BreaksTies && RouterExtension.Noise(options) == 0)
            problems.Add($"router.noise: {router.Name} with 0 adds nothing. Give it a size, or use router method copy.");
    }

    private static void CheckPreservation(
        UpcycleOptions options, IUpcycleMethod method, IRouterExtension router, ModelConfig config, List<string> problems)
    {
        if (options.Preserve is Preservation.SiblingExclusive or Preservation.Wide && router.BreaksTies)
            problems.Add($"preserve: {WireName(options.Preserve)} is exact only for equal logits, and router method {router.Name} makes them differ. Use router method copy.");
        if (options.Preserve != Preservation.Wide)
            return;
        if (method.NeedsScores)
            problems.Add($"preserve: wide is exact only when every expert is copied equally often. Use method copy, or preserve sibling-exclusive.");
        if (config.ScoreFunction == ScoreFunction.Sigmoid && !config.NormalizeTopK)
            problems.Add($"preserve: wide would add up {options.Multiplier} equal sigmoid gates per source, which this model does not renormalise. Use sibling-exclusive.");
    }

    private static string WireName<T>(T value) where T : struct, Enum =>
        System.Text.Json.JsonNamingPolicy.KebabCaseLower.ConvertName(value.ToString());
}
