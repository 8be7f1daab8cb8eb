using Espalier.Modeling;
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
    /// <summary>Compares two models on <paramref name="tokens"/> (B, S), int64; one is in memory at a time.</summary>
    /// <param name="loadSource">Loads the source.</param>
    /// <param name="loadGrown">Loads the grown model.</param>
    /// <param name="tokens">Token ids.</param>
    /// <param name="sourceOf">Per layer of experts, the source of each grown expert; null when experts are not copies of experts.</param>
    public static FunctionChange Measure(
        Func<MoeDecoder> loadSource, Func<MoeDecoder> loadGrown, long[,] tokens, IReadOnlyList<IReadOnlyList<int>>? sourceOf)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var (before, lossBefore, chosenBefore) = Run(loadSource, tokens);
        var (after, lossAfter, chosen) = Run(loadGrown, tokens);
        return new FunctionChange(
            lossBefore, lossAfter, (after - before).abs().max().item<float>(),
            [.. chosenBefore.Select(selected => MeanDistinct(selected, null))],
            [.. chosen.Select((selected, layer) => MeanDistinct(selected, sourceOf?[layer]))],
            sourceOf is null ? [] : [.. chosen.Select((selected, layer) => Paired(selected, sourceOf[layer]))]);
    }

    private static (Tensor Logits, double Loss, IReadOnlyList<(long[] Experts, int PerToken)> Chosen) Run(Func<MoeDecoder> load, long[,] tokens)
    {
        using var scope = NewDisposeScope();
        using var decoder = load();
        var ids = tensor(tokens).to(decoder.Device);
        var output = decoder.Forward(ids);
        var logits = output.Logits.to(float32).cpu();                                      // (B, S, V)
        var loss = cross_entropy(logits.narrow(1, 0, ids.shape[1] - 1).flatten(0, 1), ids.cpu().narrow(1, 1, ids.shape[1] - 1).flatten());
        var chosen = output.Routing.Select(r => (r.Selected.cpu().contiguous().data<long>().ToArray(), (int)r.Selected.shape[1])).ToList();
        return (logits.MoveToOuterDisposeScope(), loss.item<float>(), chosen);
    }

    private static double MeanDistinct((long[] Experts, int PerToken) chosen, IReadOnlyList<int>? sourceOf) =>
        chosen.Experts.Chunk(chosen.PerToken).Average(token => token.Select(e => sourceOf?[(int)e] ?? (int)e).Distinct().Count());

    private static double Paired((long[] Experts, int PerToken) chosen, IReadOnlyList<int> sourceOf) =>
        chosen.Experts.Chunk(chosen.PerToken).Average(token =>
            token.GroupBy(e => sourceOf[(int)e]).Where(g => g.Count() > 1).Sum(g => g.Count()) / (double)token.Length);
}
