using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Training losses, all in float32.
/// Cross-entropy: mean over tokens of -log softmax(logits)[target].
/// Load balancing (GShard, Switch; arXiv 2101.03961) in the Hugging Face form: rows of all layers pooled, f_e = mean
/// number of selections of e per row (sums to K), P_e = mean softmax probability, loss = E sum_e f_e P_e. Perfect
/// balance gives K, not 1; f carries no gradient. We count what was selected, so a selection bias is seen.
/// Router z-loss (ST-MoE, arXiv 2202.08906): mean over tokens and layers of logsumexp(z)^2.
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
    public static Tensor LoadBalancing(IReadOnlyList<RoutingTrace> routing)
    {
        using var scope = NewDisposeScope();
        var experts = routing[0].Logits.shape[1];
        var rows = routing.Sum(trace => trace.Logits.shape[0]);
        var counts = new float[experts];
        foreach (var trace in routing)
        {
            for (var expert = 0; expert < experts; expert++)
                counts[expert] += (float)trace.Counts[expert] / rows;
        }
        var fractions = tensor(counts, device: routing[0].Logits.device);                                // (E), sums to K
        var probabilities = routing.Select(trace => nn.functional.softmax(trace.Logits, -1).sum(dim: 0)).ToList(); // each (E)
        var mean = stack(probabilities).sum(dim: 0) / rows;                                                   // (E), sums to 1
        return ((fractions * mean).sum() * experts).MoveToOuterDisposeScope();
    }

    /// <summary>Router z-loss over all layers.</summary>
    public static Tensor RouterZ(IReadOnlyList<RoutingTrace> routing)
    {
        using var scope = NewDisposeScope();
        return stack(routing.Select(trace => trace.Logits.logsumexp(-1).square().mean())).mean().MoveToOuterDisposeScope();
    }
}
