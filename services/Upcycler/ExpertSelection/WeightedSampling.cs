using Espalier.Surgery;

namespace Espalier.Upcycler.ExpertSelection;

/// <summary>
/// Draws without exceeding the cap: q = softmax(score / temperature) over the experts below the cap. Scores are
/// standardised first (minus mean, over standard deviation): with raw norms of 10 to 100 the draw would be greedy, with
/// raw squared gradients of 1e-6 uniform. <c>raw-scores</c> keeps them as they are. (arXiv 2604.19835.)
/// </summary>
public sealed class WeightedSampling : ISlotSelection
{
    private const double NoMass = 1e-30;

    /// <inheritdoc/>
    public string Name => "weighted-sampling";

    /// <inheritdoc/>
    public string Summary => "At random by softmax of the scores, up to max-copies per expert (arXiv 2604.19835).";

    /// <inheritdoc/>
    public int[] Select(IReadOnlyList<double> scores, int slots, UpcycleOptions options, KeyedRandom random)
    {
        var logits = (options.RawScores ? scores : Standardised(scores)).Select(s => s / options.Temperature).ToArray();
        var largest = logits.Max();
        var weights = logits.Select(z => Math.Exp(z - largest)).ToArray();
        var used = new int[scores.Count];
        var chosen = new int[slots];
        for (var slot = 0; slot < slots; slot++)
        {
            if (used.All(u => u >= options.MaxCopies))
                Array.Clear(used);
            chosen[slot] = Draw(weights, used, options.MaxCopies, random.NextDouble());
            used[chosen[slot]]++;
        }
        return chosen;
    }

    private static int Draw(double[] weights, int[] used, int cap, double point)
    {
        var allowed = Enumerable.Range(0, weights.Length).Where(e => used[e] < cap).ToArray();
        var mass = allowed.Sum(e => weights[e]);
        if (mass < NoMass)
            return allowed[(int)(point * allowed.Length)];
        var reached = 0.0;
        foreach (var expert in allowed)
        {
            reached += weights[expert];
            if (point * mass < reached)
                return expert;
        }
        return allowed[^1];
    }

    private static IReadOnlyList<double> Standardised(IReadOnlyList<double> scores)
    {
        var mean = scores.Average();
        var spread = Math.Sqrt(scores.Sum(s => (s - mean) * (s - mean)) / scores.Count);
        return spread > 0 ? [.. scores.Select(s => (s - mean) / spread)] : [.. scores.Select(_ => 0.0)];
    }
}
