using System.Text.Json;
using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Methods;

/// <summary>Options of the methods that weigh weights by their inputs.</summary>
[MethodOptions(typeof(PruneOptions), "wanda")]
[MethodOptions(typeof(PruneOptions), "two-four")]
public sealed record WandaOptions
{
    /// <summary>Tokens below which an expert's weights are ranked by magnitude alone.</summary>
    /// <value>128</value>
    [Option("Tokens that an expert must get; one with fewer is ranked by magnitude alone, and counts against 'max-fallback'.", Min = 1, Max = 1 << 20)]
    public int MinTokens { get; init; } = 128;
}

/// <summary>
/// Wanda's score (A Simple and Effective Pruning Approach for Large Language Models, arXiv 2306.11695) on what was routed to
/// each expert: |W_ij| sqrt(sum_t X_tj^2 / T_e), X the expert's input for gate and up and the product of both for down. An expert of
/// fewer than min-tokens tokens has no input worth the name: its weights are ranked by magnitude.
/// </summary>
internal static class InputNorms
{
    private const string InputSquares = "input-squares";   // (H) sum_t x^2
    private const string HiddenSquares = "hidden-squares"; // (F) sum_t h^2

    /// <summary>The sums that are collected.</summary>
    public static readonly IReadOnlyList<string> Sums = [InputSquares, HiddenSquares];

    /// <summary>Adds one batch.</summary>
    public static void Observe(BlockObservation block, LayerSums sums)
    {
        foreach (var seen in block.Experts)
        {
            using var scope = NewDisposeScope();
            sums.Add(InputSquares, seen.Expert, Squares(block.Input.index_select(0, seen.Tokens)));
            sums.Add(HiddenSquares, seen.Expert, Squares(seen.Hidden));
        }
    }

    /// <summary>Scores of one matrix, in its shape; the caller's dispose scope takes them.</summary>
    public static Tensor Score(int expert, string projection, LayerSums sums, ScoreRequest request)
    {
        using var scope = NewDisposeScope();
        var magnitudes = request.Weights.Expert(expert, projection).to(float64).abs();      // (out, in)
        if (sums.Tokens[expert] < request.Read<WandaOptions>().MinTokens)
            return magnitudes.MoveToOuterDisposeScope();
        var squares = sums.Sum(projection == "down" ? HiddenSquares : InputSquares, expert, (int)magnitudes.shape[1]);
        var norms = (tensor(squares.ToArray(), dtype: float64) / sums.Tokens[expert]).sqrt(); // (in)
        return (magnitudes * norms).MoveToOuterDisposeScope();
    }

    /// <summary>Experts of fewer than min-tokens tokens.</summary>
    public static IReadOnlyList<int> Fallbacks(LayerSums sums, JsonElement options)
    {
        var least = ScoreRequest.ReadOptions<WandaOptions>(options).MinTokens;
        return [.. Enumerable.Range(0, sums.Experts).Where(e => sums.Tokens[e] < least)];
    }

    private static double[] Squares(Tensor rows)
    {
        var squares = rows.to(float64).square().sum([0L]).cpu();
        return squares.data<double>().ToArray();
    }
}
