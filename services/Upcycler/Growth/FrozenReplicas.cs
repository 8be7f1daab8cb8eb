using Espalier.Upcycler.Routers;

namespace Espalier.Upcycler.Growth;

/// <summary>
/// Exact start by router logits: new experts get the logit bias -M, so they are never chosen and take no softmax mass.
/// M comes from a bound that holds for every input: after RMSNorm with weight w, ||x / w|| is at most sqrt(H), so logit e
/// lies within b_e +- sqrt(H) ||R_e * w||. A bias that only steered the selection would not do: without renormalised
/// gates the copies' softmax mass would be missing.
/// With a selection bias beta, experts are chosen by s_e + beta_e. A copy's score is then nearly 0, and every score is at
/// least 0, so the K-th largest sum among the source's experts is at least their K-th largest beta, and no less than the
/// least one: copies get that least beta minus 1 and stay out. Gates are scores without beta, and scores of the source's
/// experts are what they were, since e^-M adds nothing to a softmax and sigmoids do not see each other: so choice and
/// gates are the source's for softmax and sigmoid scores, renormalised or not. The trainer takes both biases back.
/// </summary>
public static class FrozenReplicas
{
    /// <summary>How far below the source's least logit the copies stay: e^-40 is nothing even next to a float32 one.</summary>
    private const double Margin = 40;

    /// <summary>The router with its copies frozen out.</summary>
    /// <param name="router">The grown router.</param>
    /// <param name="sources">Experts of the source, E; those after them are copies.</param>
    /// <param name="normWeight">(H) weight of the norm before the router.</param>
    public static RouterWeights Freeze(RouterWeights router, int sources, IReadOnlyList<float> normWeight)
    {
        var bias = router.Bias?.ToArray() ?? new float[router.Experts];
        var reach = Enumerable.Range(0, router.Experts).Select(e => Reach(router.Row(e), normWeight)).ToArray();
        var least = Enumerable.Range(0, sources).Min(e => bias[e] - reach[e]);
        var copies = Enumerable.Range(sources, router.Experts - sources).ToArray();
        var largest = copies.Max(e => bias[e] + reach[e]);
        var depth = Math.Ceiling(Math.Max(0, largest - least) + Math.Log(copies.Length) + Margin);
        foreach (var expert in copies)
            bias[expert] = (float)(bias[expert] - depth);
        return router with { Bias = bias, SelectionBias = Lowered(router.SelectionBias, sources) };
    }

    private static float[]? Lowered(float[]? selectionBias, int sources)
    {
        if (selectionBias is null)
            return null;
        var least = selectionBias.Take(sources).Min();
        return [.. selectionBias.Select((beta, expert) => expert < sources ? beta : least - 1)];
    }

    private static double Reach(ReadOnlySpan<float> row, IReadOnlyList<float> normWeight)
    {
        var sum = 0.0;
        for (var i = 0; i < row.Length; i++)
            sum += Math.Pow((double)row[i] * normWeight[i], 2);
        return Math.Sqrt(sum * row.Length);
    }
}
