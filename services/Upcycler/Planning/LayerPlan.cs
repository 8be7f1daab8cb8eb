namespace Espalier.Upcycler.Planning;

/// <summary>Where every expert of a grown layer comes from.</summary>
/// <param name="Layer">Layer index.</param>
/// <param name="SourceOf">For each expert of the grown layer, the expert of the source; the first E stay in place.</param>
/// <param name="Doublings">The doublings in order.</param>
public sealed record LayerPlan(int Layer, IReadOnlyList<int> SourceOf, IReadOnlyList<Doubling> Doublings)
{
    /// <summary>Experts that come from each source, the source itself included: r_e.</summary>
    public int[] Counts()
    {
        var counts = new int[SourceOf.Max() + 1];
        foreach (var source in SourceOf)
            counts[source]++;
        return counts;
    }
}

/// <summary>One doubling of a layer.</summary>
/// <param name="Scores">Score of each expert before it; empty when the method needs none.</param>
/// <param name="Order">Source of each new slot, as an index before this doubling.</param>
public sealed record Doubling(IReadOnlyList<double> Scores, IReadOnlyList<int> Order);
