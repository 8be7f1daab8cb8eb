using Espalier.Modeling;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Upcycler.Calibration;

/// <summary>How growth changed the function, on one batch of calibration text.</summary>
/// <param name="LossBefore">Mean next-token loss of the source, nats.</param>
/// <param name="LossAfter">The same of the grown model.</param>
/// <param name="LargestLogitDifference">max |logit after - logit before|.</param>
/// <param name="DistinctSourcesBefore">Per layer, mean number of different experts per token of the source: K.</param>
/// <param name="DistinctSources">The same number after, counted in experts of the source: about K/m right after plain copies.</param>
/// <param name="SiblingCoSelection">Per layer, share of the grown model's choices that come with a sibling for the same token.</param>
public sealed record FunctionChange(
    double LossBefore, double LossAfter, double LargestLogitDifference,
    IReadOnlyList<double> DistinctSourcesBefore, IReadOnlyList<double> DistinctSources, IReadOnlyList<double> SiblingCoSelection)
{
    /// <summary>Compares two models on <paramref name="tokens"/> (B, S), int64; in memory is one layer, or both heads with one sequence's logits.</summary>
    /// <param name="source">The source.</param>
    /// <param name="grown">The grown model.</param>
    /// <param name="tokens">Token ids.</param>
    /// <param name="sourceOf">Per layer of experts, the source of each grown expert; null when experts are not copies of experts.</param>
    public static FunctionChange Measure(
        LayeredModel source, LayeredModel grown, long[,] tokens, IReadOnlyList<IReadOnlyList<int>>? sourceOf)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var ids = tensor(tokens);
        var (before, after) = (Run(source, ids), Run(grown, ids));
        using var streamBefore = before.Stream;
        using var streamAfter = after.Stream;
        using var headBefore = source.LoadHead();
        using var headAfter = grown.LoadHead();
        var (lossBefore, lossAfter, largest) = (0.0, 0.0, 0f);
        for (var sequence = 0L; sequence < ids.shape[0]; sequence++)
        {
            using var rowScope = NewDisposeScope();
            var targets = ids.narrow(0, sequence, 1).narrow(1, 1, ids.shape[1] - 1).flatten();  // (S-1)
            var (first, second) = (Logits(headBefore, streamBefore, sequence), Logits(headAfter, streamAfter, sequence));
            lossBefore += Loss(first, targets) / ids.shape[0];
            lossAfter += Loss(second, targets) / ids.shape[0];
            largest = Math.Max(largest, (second - first).abs().max().item<float>());
        }
        return new FunctionChange(
            lossBefore, lossAfter, largest,
            [.. before.Chosen.Select(selected => MeanDistinct(selected, null))],
            [.. after.Chosen.Select((selected, layer) => MeanDistinct(selected, sourceOf?[layer]))],
            sourceOf is null ? [] : [.. after.Chosen.Select((selected, layer) => Paired(selected, sourceOf[layer]))]);
    }

    private static (Tensor Stream, IReadOnlyList<IReadOnlyList<long[]>> Chosen) Run(LayeredModel model, Tensor ids)
    {
        var chosen = new List<IReadOnlyList<long[]>>();
        var stream = model.Stream(ids, trace => chosen.Add(trace.SelectedByToken()));                        // (B, S, H)
        return (stream, chosen);
    }

    private static Tensor Logits(MoeDecoder head, Tensor stream, long sequence) =>
        head.Head(stream.narrow(0, sequence, 1).to(head.Device)).squeeze(0).to(float32).cpu();                   // (S, V)

    private static double Loss(Tensor logits, Tensor targets) => cross_entropy(logits.narrow(0, 0, targets.shape[0]), targets).item<float>();

    private static double MeanDistinct(IReadOnlyList<long[]> chosen, IReadOnlyList<int>? sourceOf) =>
        chosen.Average(token => token.Select(e => sourceOf?[(int)e] ?? (int)e).Distinct().Count());

    private static double Paired(IReadOnlyList<long[]> chosen, IReadOnlyList<int> sourceOf) =>
        chosen.Average(token =>
            token.GroupBy(e => sourceOf[(int)e]).Where(g => g.Count() > 1).Sum(g => g.Count()) / (double)token.Length);
}
