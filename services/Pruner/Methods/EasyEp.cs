using System.Text.Json;
using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Methods;

/// <summary>
/// EASY-EP (Domain-Specific Pruning of Large Mixture-of-Experts Models with Few-shot Demonstrations, 2025): what an expert adds
/// to tokens that the block changes much,
///   I_e = sum_t g_te |o_te| max(0, 1 - cos(r_t, r_t + y_t))
/// r the stream before the block, y = sum_e g_te o_te the routed output without shared experts. Calibrate it with a few dozen
/// texts of the one domain that the model is for. An expert without tokens scores 0.
/// </summary>
[MethodOptions(typeof(PruneOptions), "easy-ep")]
public sealed class EasyEp : IPruningMethod
{
    private const string Contributions = "contributions"; // sum_t g |o| (1 - cos)
    private const double LeastNorm = 1e-150;              // of a stream of zeros: its cosine is 0

    /// <inheritdoc/>
    public string Name => "easy-ep";

    /// <inheritdoc/>
    public string Summary => "Gated output norm, summed over tokens by how far the block turns them; for text of one domain (EASY-EP, 2025).";

    /// <inheritdoc/>
    public IReadOnlyList<Granularity> Granularities => [Granularity.Expert];

    /// <inheritdoc/>
    public CalibrationNeed Need => CalibrationNeed.Activations;

    /// <inheritdoc/>
    public IReadOnlyList<string> Sums(JsonElement options) => [Contributions];

    /// <inheritdoc/>
    public void ObserveBlock(BlockObservation seen, LayerSums sums)
    {
        using var scope = NewDisposeScope();
        var before = seen.Residual.to(float64);                                                                 // (T, H)
        var after = before.clone();
        foreach (var expert in seen.Experts)
        {
            using var ofExpert = NewDisposeScope();
            after.index_add_(0, expert.Tokens, expert.Gates.to(float64).unsqueeze(1) * expert.Output.to(float64), 1);
        }
        var norms = (before.square().sum(-1).sqrt() * after.square().sum(-1).sqrt()).clamp_min(LeastNorm);
        var turns = (1 - (before * after).sum(-1) / norms).clamp_min(0);                                        // (T)
        foreach (var expert in seen.Experts)
        {
            using var ofExpert = NewDisposeScope();
            var strengths = expert.Gates.to(float64) * expert.Output.to(float64).square().sum(-1).sqrt();       // (T_e)
            sums.Add(Contributions, expert.Expert, [(strengths * turns.index_select(0, expert.Tokens)).sum().item<double>()]);
        }
    }

    /// <inheritdoc/>
    public double[] Score(LayerSums sums, ScoreRequest request) =>
        [.. Enumerable.Range(0, sums.Experts).Select(e => sums.Sum(Contributions, e, 1)[0])];
}
