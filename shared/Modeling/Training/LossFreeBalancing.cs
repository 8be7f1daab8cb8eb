using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Auxiliary-loss-free balancing (arXiv 2408.15664): after each optimizer step, from the counts of the whole batch,
/// beta_e += u sign(mean(c) - c_e); then the mean of beta is subtracted from every entry, which stops drift. That shifts all experts
/// alike, so it changes no selection beyond the rounding of float32. Experts that something else holds back take no part: they do
/// not count in either mean, are not moved by their load, and are shifted with the rest, so that their distance stays.
/// </summary>
public static class LossFreeBalancing
{
    /// <summary>Step u of the bias.</summary>
    public const double DefaultRate = 0.001;

    /// <summary>Moves <paramref name="bias"/> (E), float32, in place, by the counts of one whole batch.</summary>
    /// <param name="bias">Selection bias.</param>
    /// <param name="counts">Tokens by expert.</param>
    /// <param name="rate">u.</param>
    /// <param name="held">Experts that take no part; null for none.</param>
    public static void Update(Tensor bias, IReadOnlyList<long> counts, double rate = DefaultRate, IReadOnlyList<bool>? held = null)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var free = Enumerable.Range(0, counts.Count).Where(expert => held?[expert] != true).ToArray();
        var total = free.Sum(expert => counts[expert]);
        var steps = new float[counts.Count];
        foreach (var expert in free) // sign(mean - c) without rounding: mean and c both times the number of experts
            steps[expert] = (float)(rate * Math.Sign(total - counts[expert] * free.Length));
        using Scalar one = 1; // named, so that no collection frees it during the call; see AdamW
        bias.add_(tensor(steps, device: bias.device), one);
        bias.sub_(held is null ? bias.mean() : bias[tensor(free.Select(e => (long)e).ToArray(), device: bias.device)].mean());
    }
}
