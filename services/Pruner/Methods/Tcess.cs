using System.Text.Json;
using Espalier.Modeling;
using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Methods;

/// <summary>Options of TCESS.</summary>
[MethodOptions(typeof(PruneOptions), "tcess")]
public sealed record TcessOptions
{
    /// <summary>How many of a token's largest logits count.</summary>
    /// <value>1</value>
    [Option("How many of each token's largest router logits count.", Min = 1, Max = 1024)]
    public int Candidates { get; init; } = 1;

    /// <summary>Least softmax share among the candidates for a logit to count.</summary>
    /// <value>0</value>
    [Option("Least share in the softmax over the candidates for a logit to count; 0 counts all.", Min = 0, Max = 1)]
    public double Confidence { get; init; }
}

/// <summary>
/// TCESS, the task-conditioned expected selection score of PreMoe (2025): how strongly the router wants an expert,
///   c_e = (1/T) sum_t z_te [e among the Ka largest of z_t] [softmax over those Ka at e >= r]
/// with raw router logits z. Looks at the router alone, no output. Logits can be negative, so that an expert which is wanted may
/// have less than the 0 of one that never is; unlike the published code, an expert that never counts comes last, below all others.
/// Equal logits: the lower index.
/// </summary>
public sealed class Tcess : IPruningMethod
{
    private const string Selections = "selections"; // per expert: sum of logits, tokens for which it counted, all tokens

    /// <inheritdoc/>
    public string Name => "tcess";

    /// <inheritdoc/>
    public string Summary => "Mean router logit where an expert is among the few largest (TCESS of PreMoe, 2025).";

    /// <inheritdoc/>
    public IReadOnlyList<Granularity> Granularities => [Granularity.Expert];

    /// <inheritdoc/>
    public CalibrationNeed Need => CalibrationNeed.Activations;

    /// <inheritdoc/>
    public IReadOnlyList<string> Sums(JsonElement options) => [Selections];

    /// <inheritdoc/>
    public IEnumerable<string> Problems(PruneOptions options, JsonElement written, ModelConfig config)
    {
        var own = ScoreRequest.ReadOptions<TcessOptions>(written);
        if (own.Candidates > config.Experts)
            yield return $"candidates: the model has {config.Experts} experts per layer, and {own.Candidates} candidates are asked for. "
                + $"Use at most {config.Experts}; 1 is as published.";
        if (own.Confidence > 0 && own.Candidates == 1)
            yield return "confidence: one candidate always has the whole softmax. Raise 'candidates', or leave 'confidence' out.";
    }

    /// <inheritdoc/>
    public void ObserveBlock(BlockObservation seen, LayerSums sums)
    {
        using var scope = NewDisposeScope();
        var options = seen.Read<TcessOptions>();
        var (sorted, order) = seen.Logits.to(float64).sort(dim: -1, descending: true, stable: true);
        var (logits, experts) = (sorted.narrow(-1, 0, options.Candidates), order.narrow(-1, 0, options.Candidates).flatten()); // (T, Ka), (T Ka)
        using var least = (Scalar)options.Confidence;
        var counts = logits.softmax(-1).ge(least).to(float64);                                                   // (T, Ka)
        var perExpert = zeros(3, sums.Experts, dtype: float64, device: seen.Logits.device);
        perExpert.select(0, 0).index_add_(0, experts, (logits * counts).flatten(), 1);
        perExpert.select(0, 1).index_add_(0, experts, counts.flatten(), 1);
        perExpert.select(0, 2).fill_(seen.Logits.shape[0]);
        var rows = perExpert.transpose(0, 1).contiguous().cpu();                                                 // (E, 3)
        var values = rows.data<double>().ToArray();
        for (var expert = 0; expert < sums.Experts; expert++)
            sums.Add(Selections, expert, values.AsSpan(3 * expert, 3));
    }

    /// <inheritdoc/>
    public double[] Score(LayerSums sums, ScoreRequest request)
    {
        var seen = Enumerable.Range(0, sums.Experts).Select(e => sums.Sum(Selections, e, 3)).ToList();
        var lowest = seen.Where(s => s[1] > 0).Select(s => s[0] / s[2]).DefaultIfEmpty(1).Min();
        return [.. seen.Select(s => s[1] > 0 ? s[0] / s[2] : Math.Min(0, lowest - 1))];
    }
}
