using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Auxiliary-loss-free balancing (arXiv 2408.15664): after each optimizer step, from the counts of the whole batch,
/// beta_e += u sign(mean(c) - c_e); then the mean of beta is subtracted, which changes no selection and stops drift.
/// </summary>
public static class LossFreeBalancing
{
    /// <summary>Step u of the bias.</summary>
    public const double DefaultRate = 0.001;

    /// <summary>Moves <paramref name="bias"/> (E), float32, in place, by the counts of one whole batch.</summary>
    public static void Update(Tensor bias, IReadOnlyList<long> counts, double rate = DefaultRate)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var total = counts.Sum();
        // sign(mean - c) without rounding: mean and c both times E
        var steps = counts.Select(count => (float)(rate * Math.Sign(total - count * counts.Count))).ToArray();
        bias.add_(tensor(steps, device: bias.device));
        bias.sub_(bias.mean());
    }
}
