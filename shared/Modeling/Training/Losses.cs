using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Training losses, all in float32.
/// Cross-entropy: mean over tokens of -log softmax(logits)[target].
/// Load balancing (GShard, Switch; arXiv 2101.03961) in the Hugging Face form: rows of all layers pooled, f_e = mean
/// number of selections of e per row (sums to K), P_e = mean softmax probability, loss = E sum_e f_e P_e. Perfect
/// balance gives K, not 1; f carries no gradient. We count what was selected, so a selection bias is seen. The means go over a
/// <see cref="BalanceScope"/>: over the rows of each sequence, of the micro-batch, or (f alone; P is linear) of the optimizer step.
/// Router z-loss (ST-MoE, arXiv 2202.08906): mean over tokens and layers of logsumexp(z)^2.
/// Entropy of the routers: mean over tokens and layers of -sum_e p_e ln p_e, p = softmax(z).
/// Divergence from a teacher: mean over tokens of KL(softmax(t / T) || softmax(z / T)).
/// </summary>
public static class Losses
{
    /// <summary>Mean cross-entropy in nats of <paramref name="logits"/> (B, S, V) against <paramref name="targets"/> (B, S), int64.</summary>
    public static Tensor CrossEntropy(Tensor logits, Tensor targets)
    {
        using var scope = NewDisposeScope();
        var rows = logits.view(-1, logits.shape[^1]).to(float32); // (T, V)
        return nn.functional.cross_entropy(rows, targets.flatten()).MoveToOuterDisposeScope();
    }

    /// <summary>
    /// Mean Kullback-Leibler divergence in nats of <paramref name="logits"/> (B, S, V) from those of a teacher, both at a temperature. The
    /// teacher's get no gradient.
    /// </summary>
    public static Tensor Divergence(Tensor logits, Tensor teacher, double temperature)
    {
        using var scope = NewDisposeScope();
        var own = (logits.view(-1, logits.shape[^1]).to(float32) / temperature).log_softmax(-1);              // (T, V)
        var taught = (teacher.detach().view(-1, logits.shape[^1]).to(float32) / temperature).log_softmax(-1); // (T, V)
        return (taught.exp() * (taught - own)).sum(dim: -1).mean().MoveToOuterDisposeScope();
    }

    /// <summary>Load-balancing loss over all layers; K when every expert gets the same share.</summary>
    public static Tensor LoadBalancing(IReadOnlyList<RoutingTrace> routing) => LoadBalancing(routing, SharesOf(routing));

    /// <summary>Load-balancing loss over all layers, with shares f of more rows than these.</summary>
    /// <param name="routing">How each layer routed a micro-batch.</param>
    /// <param name="shares">(E) selections per row, which sum to K.</param>
    public static Tensor LoadBalancing(IReadOnlyList<RoutingTrace> routing, float[] shares)
    {
        using var scope = NewDisposeScope();
        var fractions = tensor(shares, device: routing[0].Logits.device);                                // (E), sums to K
        var probabilities = routing.Select(trace => nn.functional.softmax(trace.Logits, -1).sum(dim: 0)).ToList(); // each (E)
        var mean = stack(probabilities).sum(dim: 0) / routing.Sum(trace => trace.Logits.shape[0]);           // (E), sums to 1
        return ((fractions * mean).sum() * shares.Length).MoveToOuterDisposeScope();
    }

    /// <summary>The mean over sequences of the load-balancing loss of one sequence over all layers.</summary>
    /// <param name="routing">How each layer routed a micro-batch.</param>
    /// <param name="sequences">Sequences of equal length in it.</param>
    public static Tensor LoadBalancingBySequence(IReadOnlyList<RoutingTrace> routing, long sequences)
    {
        using var scope = NewDisposeScope();
        var selections = routing.Select(trace => SelectionsBySequence(trace, sequences)).ToList();
        var shares = stack(selections).sum(dim: 0) / ((double)routing.Sum(trace => trace.Logits.shape[0]) / sequences); // (B, E), rows sum to K
        return stack(routing.Select(trace => LoadBalancingOfLayer(trace, shares, routing.Count)).ToList()).sum().MoveToOuterDisposeScope();
    }

    /// <summary>What one layer adds to the load-balancing loss over all.</summary>
    /// <param name="trace">How it routed.</param>
    /// <param name="shares">(1, E) or (B, E) selections per row of all layers, of all rows or of each sequence.</param>
    /// <param name="layers">Layers with experts.</param>
    internal static Tensor LoadBalancingOfLayer(RoutingTrace trace, Tensor shares, int layers)
    {
        using var scope = NewDisposeScope();
        var (rows, experts) = (trace.Logits.shape[0], trace.Logits.shape[1]);
        var sums = nn.functional.softmax(trace.Logits, -1).view(shares.shape[0], -1, experts).sum(dim: 1); // (B, E)
        return ((shares * sums).sum() * (experts / ((double)rows * layers))).MoveToOuterDisposeScope();
    }

    /// <summary>(B, E) how often each expert was selected in each sequence, float32, without gradient.</summary>
    internal static Tensor SelectionsBySequence(RoutingTrace trace, long sequences)
    {
        using var scope = NewDisposeScope();
        var selected = trace.Selected.view(sequences, -1);                                                  // (B, S K)
        var used = trace.Used?.view(sequences, -1).to(float32) ?? ones(selected.shape, device: selected.device);
        return zeros([sequences, trace.Logits.shape[1]], device: selected.device).scatter_add_(1, selected, used).MoveToOuterDisposeScope();
    }

    private static float[] SharesOf(IReadOnlyList<RoutingTrace> routing)
    {
        var rows = routing.Sum(trace => trace.Logits.shape[0]);
        var shares = new float[routing[0].Logits.shape[1]];
        foreach (var trace in routing)
        {
            for (var expert = 0; expert < shares.Length; expert++)
                shares[expert] += (float)trace.Counts[expert] / rows;
        }
        return shares;
    }

    /// <summary>Entropy in nats of the routers of all layers: 0 when each is sure of one expert, ln E when none prefers any.</summary>
    public static Tensor RouterEntropy(IReadOnlyList<RoutingTrace> routing)
    {
        using var scope = NewDisposeScope();
        return (stack(routing.Select(RouterEntropyOfLayer).ToList()).sum() / routing.Count).MoveToOuterDisposeScope();
    }

    /// <summary>The same of one layer.</summary>
    internal static Tensor RouterEntropyOfLayer(RoutingTrace trace)
    {
        using var scope = NewDisposeScope();
        var logs = trace.Logits.log_softmax(-1);                                                            // (T, E)
        return (-(logs.exp() * logs).sum(dim: -1).mean()).MoveToOuterDisposeScope();
    }

    /// <summary>Router z-loss over all layers.</summary>
    public static Tensor RouterZ(IReadOnlyList<RoutingTrace> routing)
    {
        using var scope = NewDisposeScope();
        return stack(routing.Select(trace => trace.Logits.logsumexp(-1).square().mean())).mean().MoveToOuterDisposeScope();
    }
}
