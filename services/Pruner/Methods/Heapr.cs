using System.Text.Json;
using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Methods;

/// <summary>How HEAPr's second-order term is estimated.</summary>
public enum HeaprVariant
{
    /// <summary>As published: E[h^2] E[(d^T u)^2].</summary>
    Factorised,

    /// <summary>Without the independence assumption: E[(h d^T u)^2].</summary>
    Exact,
}

/// <summary>What HEAPr's score is an average of.</summary>
public enum HeaprWeighting
{
    /// <summary>Mean over the expert's own tokens, as published: rarely used experts weigh as much as busy ones.</summary>
    PerRoutedToken,

    /// <summary>Sum over the expert's tokens: the estimated increase of the total loss.</summary>
    Total,
}

/// <summary>HEAPr's own options. Within one expert the weighting changes nothing; it matters for <c>scope: global</c>.</summary>
[MethodOptions(typeof(PruneOptions), "heapr")]
public sealed record HeaprOptions
{
    /// <summary>How the second-order term is estimated.</summary>
    /// <value>factorised</value>
    [Option("factorised: as published; exact: without assuming that activation and gradient are independent.")]
    public HeaprVariant Variant { get; init; } = HeaprVariant.Factorised;

    /// <summary>What the score is an average of.</summary>
    /// <value>per-routed-token</value>
    [Option("per-routed-token: as published; total: weighted by how often the expert is used. Matters with scope global.")]
    public HeaprWeighting Weighting { get; init; } = HeaprWeighting.PerRoutedToken;
}

/// <summary>
/// HEAPr: second-order loss increase of deleting a neuron ("atomic expert"), from gradients at the expert's output.
/// u_t = dLoss/do_t with the combine weight inside, d_j column j of down, M = (1/T_e) sum_t u_t u_t^T:
///   factorised  s_j = (1/T_e) sum_t h_tj^2 * (d_j^T M d_j)        (published)
///   exact       s_j = (1/T_e) sum_t (h_tj d_j^T u_t)^2            (diagonal Fisher of a mask on neuron j)
/// Since d_j^T M d_j = (1/T_e) sum_t (u_t D)_j^2, the matrix M (H x H for every expert: gigabytes) is never formed; both
/// variants need few numbers per neuron. G_j = sum_t h_tj (u_t D)_j is the gradient of the loss for the mask.
/// An expert without tokens scores -1, as published: it goes first.
/// </summary>
public sealed class Heapr : IPruningMethod
{
    internal const string HiddenSquares = "hidden-squares";         // sum_t h^2
    internal const string ProjectionSquares = "projection-squares"; // sum_t (u D)^2
    internal const string ProductSquares = "product-squares";       // sum_t (h (u D))^2
    internal const string Products = "products";                    // sum_t h (u D)

    /// <inheritdoc/>
    public string Name => "heapr";

    /// <inheritdoc/>
    public string Summary => "Second-order loss increase of deleting a neuron, from gradients at the expert's output (HEAPr, ICLR 2026).";

    /// <inheritdoc/>
    public IReadOnlyList<Granularity> Granularities => [Granularity.Neuron];

    /// <inheritdoc/>
    public CalibrationNeed Need => CalibrationNeed.Gradients;

    /// <inheritdoc/>
    public IReadOnlyList<string> Sums(JsonElement options) =>
        ScoreRequest.ReadOptions<HeaprOptions>(options).Variant == HeaprVariant.Exact ? [ProductSquares] : [HiddenSquares, ProjectionSquares];

    /// <inheritdoc/>
    public void Observe(ExpertObservation seen, LayerSums sums)
    {
        using var scope = NewDisposeScope();
        var hidden = seen.Hidden.to(float32);                                          // (T_e, F)
        var projection = seen.Gradient!.to(float32).matmul(seen.Down.to(float32));     // (T_e, F)
        var (h, p) = (hidden.to(float64), projection.to(float64));
        var product = h * p;
        var rows = stack([h.square().sum([0]), p.square().sum([0]), product.square().sum([0]), product.sum([0])]).cpu(); // (4, F)
        var values = rows.data<double>().ToArray();
        foreach (var (name, row) in (ReadOnlySpan<(string, int)>)[(HiddenSquares, 0), (ProjectionSquares, 1), (ProductSquares, 2), (Products, 3)])
            if (sums.IsCollected(name))
                sums.Add(name, seen.Expert, values.AsSpan(row * sums.Width, sums.Width));
    }

    /// <inheritdoc/>
    public double[] Score(LayerSums sums, ScoreRequest request)
    {
        var options = request.Read<HeaprOptions>();
        var scores = new double[sums.Experts * sums.Width];
        for (var expert = 0; expert < sums.Experts; expert++)
        {
            var tokens = sums.Tokens[expert];
            var hidden = sums.Sum(HiddenSquares, expert, sums.Width);
            var projection = sums.Sum(ProjectionSquares, expert, sums.Width);
            var product = sums.Sum(ProductSquares, expert, sums.Width);
            for (var neuron = 0; neuron < sums.Width; neuron++)
            {
                var total = options.Variant == HeaprVariant.Exact
                    ? product[neuron]
                    : hidden[neuron] * (projection[neuron] / Math.Max(1, tokens));
                scores[expert * sums.Width + neuron] = tokens == 0 ? -1
                    : options.Weighting == HeaprWeighting.Total ? total
                    : total / tokens;
            }
        }
        return scores;
    }
}
