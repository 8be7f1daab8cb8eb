using System.Text.Json;
using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Methods;

/// <summary>What counts of an expert's output.</summary>
public enum OutputStrength
{
    /// <summary>That there is one: every token counts the same.</summary>
    None,

    /// <summary>Its Euclidean norm.</summary>
    Norm,

    /// <summary>The square of that.</summary>
    SquaredNorm,
}

/// <summary>The switches of the score by activations; what is left out is as the method was published.</summary>
[MethodOptions(typeof(PruneOptions), "reap")]
[MethodOptions(typeof(PruneOptions), "man")]
[MethodOptions(typeof(PruneOptions), "msan")]
public sealed record ActivationOptions
{
    /// <summary>Whether an expert's sum over its tokens counts, not its mean.</summary>
    /// <value>false</value>
    [Option("Whether the sum over an expert's tokens counts, so that busy experts are worth more; their mean as published. Suits text of one domain.")]
    public bool WeighFrequency { get; init; }

    /// <summary>Whether each token counts by its combine weight.</summary>
    /// <value>the method's own: reap true, man and msan false</value>
    [Option("Whether each token counts by its combine weight. The method's own when left out: reap true, man and msan false.")]
    public bool? WeighGates { get; init; }

    /// <summary>What counts of the output.</summary>
    /// <value>the method's own: reap and man norm, msan squared-norm</value>
    [Option("What counts of an expert's output before the combine weight: its norm, the square of that, or none, that there is one. "
        + "The method's own when left out: reap and man norm, msan squared-norm.")]
    public OutputStrength? Strength { get; init; }

    /// <summary>Whether the combine weights of each token are divided by their sum before they count.</summary>
    /// <value>false</value>
    [Option("Whether the combine weights of each token are divided by their sum for the score, for models that do not do so themselves. "
        + "Needs combine weights.")]
    public bool RenormalizeGates { get; init; }
}

/// <summary>
/// Scores experts by what they put out, with three switches (arXiv 2606.15716): over the tokens x that came to expert j,
///   S_j = (1/T_j) sum_x  g_j(x)  |f_j(x)|^p
/// where 1/T_j falls away with the frequency, g_j is the combine weight or 1, and p is 0, 1 or 2. An expert without tokens
/// scores 0. REAP, MAN and MSAN are three settings; gates and frequency with p = 1 make the first factor of EASY-EP.
/// </summary>
/// <param name="gates">Whether combine weights count unless the options say otherwise.</param>
/// <param name="strength">What counts of the output unless the options say otherwise.</param>
internal sealed class ActivationStrength(bool gates, OutputStrength strength)
{
    internal const string Strengths = "strengths"; // sum_x g |f|^p

    /// <summary>Adds one batch.</summary>
    public void Observe(BlockObservation block, LayerSums sums)
    {
        using var scope = NewDisposeScope();
        var options = block.Read<ActivationOptions>();
        var shares = options.RenormalizeGates ? block.Gates.to(float64).sum(-1) : null;                             // (T)
        foreach (var seen in block.Experts)
        {
            using var ofExpert = NewDisposeScope();
            var strengths = StrengthOf(seen.Output.to(float64), options.Strength ?? strength);                      // (T_e)
            if (options.WeighGates ?? gates)
                strengths = strengths * seen.Gates.to(float64);
            if (shares is not null)
                strengths = strengths / shares.index_select(0, seen.Tokens);
            sums.Add(Strengths, seen.Expert, [strengths.sum().item<double>()]);
        }
    }

    /// <summary>The scores (E).</summary>
    public static double[] Score(LayerSums sums, ScoreRequest request)
    {
        var total = request.Read<ActivationOptions>().WeighFrequency;
        return [.. Enumerable.Range(0, sums.Experts).Select(e => sums.Sum(Strengths, e, 1)[0] / (total ? 1 : Math.Max(1, sums.Tokens[e])))];
    }

    /// <summary>Switches that cannot go together.</summary>
    public IEnumerable<string> Problems(JsonElement written)
    {
        var options = ScoreRequest.ReadOptions<ActivationOptions>(written);
        var weighsGates = options.WeighGates ?? gates;
        if (options.RenormalizeGates && !weighsGates)
            yield return "renormalize-gates: combine weights do not count in this score. Set weigh-gates: true, or leave renormalize-gates out.";
        if (!options.WeighFrequency && !weighsGates && (options.Strength ?? strength) == OutputStrength.None)
            yield return "strength: without frequency, gates and strength every expert scores 1. "
                + "Switch one of weigh-frequency and weigh-gates on, or set strength: norm.";
    }

    private static Tensor StrengthOf(Tensor output, OutputStrength strength)
    {
        var squares = output.square().sum(-1);
        return strength switch
        {
            OutputStrength.None => ones_like(squares),
            OutputStrength.Norm => squares.sqrt(),
            _ => squares,
        };
    }
}
