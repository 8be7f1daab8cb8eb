using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>
/// Picks experts for tokens. z = R x + b in float32, s = softmax(z) or sigmoid(z); the K experts with the largest
/// s + beta, where the selection bias beta (arXiv 2408.15664) never enters the gate; gate = s, divided by the sum of the
/// K when the model normalises, times the routed scale. Equal scores: the lower expert index wins.
/// Top-p (arXiv 2403.07652): of these K, in the order of choice, only as many as it takes for their s to add up to more than p; the gates of
/// the others are 0, and the sum that gates are divided by is that of the experts in use.
/// Grouped (DeepSeek-V2, arXiv 2405.04434, and V3): a group's score is the sum of its best one or two s + beta; the K
/// experts come from the groups with the largest scores.
/// Sibling-exclusive: the same over source groups, whose logit is the largest of their members; then the member
/// (position + layer) mod group size. Right after copying, this is the source model exactly.
/// </summary>
internal static class Router
{
    /// <summary>Routes <paramref name="x"/> (T, H), whose rows run through sequences of <paramref name="sequence"/> tokens.</summary>
    public static RoutingTrace Route(ModelConfig config, DecoderLayer layer, Tensor x, long sequence)
    {
        var logits = nn.functional.linear(x.to(float32), layer.Router!.to(float32), layer.RouterBias?.to(float32)); // (T, E)
        var scores = Score(config, logits);                                                                       // (T, E)
        var (selected, gates) = config.SiblingExclusive
            ? SelectSiblings(config, layer, logits, sequence)
            : SelectFreely(config, layer, scores);
        var used = config.TopP is { } p ? InUse(gates, p) : null;                                                  // (T, K)
        if (used is not null)
            gates = gates * used.to(float32);
        if (config.NormalizeTopK)
            gates = gates / (gates.sum(-1, keepdim: true) + (config.ScoreFunction == ScoreFunction.Sigmoid ? 1e-20 : 0));
        if (config.RoutedScale != 1)
            gates = gates * config.RoutedScale;
        return new RoutingTrace(layer.Index, x, logits, scores, selected, gates) { Used = used, Router = layer.Router };
    }

    // A choice is in use where those before it add up to p at most.
    private static Tensor InUse(Tensor gates, double p)
    {
        using var most = (Scalar)(float)p;
        var sums = gates.detach().cumsum(-1);
        return cat([zeros_like(sums.narrow(-1, 0, 1)), sums.narrow(-1, 0, sums.shape[^1] - 1)], -1).le(most);
    }

    /// <summary>Indices of the <paramref name="count"/> largest of each row, largest first, ties to the lower index: (T, count).</summary>
    public static Tensor TopK(Tensor scores, int count)
    {
        var (_, order) = scores.detach().sort(dim: -1, descending: true, stable: true);
        return order.narrow(-1, 0, count);
    }

    private static (Tensor Selected, Tensor Gates) SelectFreely(ModelConfig config, DecoderLayer layer, Tensor scores)
    {
        var choice = layer.SelectionBias is { } bias ? scores.detach() + bias : scores;
        if (config.ExpertGroups > 1)
            choice = OnlyBestGroups(config, choice.detach());
        var selected = TopK(choice, config.ExpertsPerToken).contiguous(); // (T, K)
        return (selected, scores.gather(-1, selected));
    }

    // (T, E) with -infinity outside the chosen groups
    private static Tensor OnlyBestGroups(ModelConfig config, Tensor choice)
    {
        var perGroup = choice.view(choice.shape[0], config.ExpertGroups, -1);                                      // (T, G, E/G)
        var (best, _) = perGroup.sort(dim: -1, descending: true, stable: true);
        var chosen = TopK(best.narrow(-1, 0, config.GroupScoreMembers).sum(dim: -1), config.ChosenGroups);         // (T, C)
        var barred = full([choice.shape[0], config.ExpertGroups], double.NegativeInfinity, dtype: float32, device: choice.device)
            .scatter_(1, chosen.contiguous(), zeros(chosen.shape, dtype: float32, device: choice.device));            // (T, G)
        return (perGroup + barred.unsqueeze(-1)).view(choice.shape);
    }

    private static (Tensor Selected, Tensor Gates) SelectSiblings(ModelConfig config, DecoderLayer layer, Tensor logits, long sequence)
    {
        var groups = layer.Siblings!;
        var scores = Score(config, groups.LargestMember(logits));                                                  // (T, G)
        var choice = layer.SelectionBias is { } bias ? scores.detach() + groups.LargestMember(bias.unsqueeze(0)) : scores;
        var chosen = TopK(choice, config.ExpertsPerToken).contiguous();                                            // (T, K) groups
        var position = arange(logits.shape[0], device: logits.device).remainder(sequence).unsqueeze(1);            // (T, 1)
        return (groups.Member(chosen, position + layer.Position), scores.gather(-1, chosen));
    }

    /// <summary>Scores (T, E) of <paramref name="logits"/>.</summary>
    public static Tensor Score(ModelConfig config, Tensor logits) =>
        config.ScoreFunction == ScoreFunction.Sigmoid ? logits.sigmoid() : nn.functional.softmax(logits, -1);
}
