namespace Espalier.Upcycler.Planning;

/// <summary>
/// Where every expert of a grown layer comes from. Experts are numbered as they are made: the first E are the source's.
/// They keep these numbers in the checkpoint, unless the model chooses among groups of neighbouring experts: there a copy
/// stands in its source's group, see <see cref="Arrangement"/>.
/// </summary>
/// <param name="Layer">Layer index.</param>
/// <param name="SourceOf">For each expert in the order of making, the expert of the source.</param>
/// <param name="Doublings">The doublings in order.</param>
/// <param name="Groups">Equal groups of neighbouring experts that the router chooses among first (DeepSeek-V2, arXiv 2405.04434); 1 when it does not.</param>
public sealed record LayerPlan(int Layer, IReadOnlyList<int> SourceOf, IReadOnlyList<Doubling> Doublings, int Groups = 1)
{
    /// <summary>For each expert of the grown checkpoint, its number in the order of making.</summary>
    public IReadOnlyList<int> Arrangement { get; } = Arrange(SourceOf, Groups);

    /// <summary>For each expert of the grown checkpoint, the expert of the source that it comes from.</summary>
    public IReadOnlyList<int> Origins => [.. Arrangement.Select(made => SourceOf[made])];

    /// <summary>For each expert in the order of making, its index in the grown checkpoint.</summary>
    public int[] Places()
    {
        var places = new int[Arrangement.Count];
        for (var place = 0; place < places.Length; place++)
            places[Arrangement[place]] = place;
        return places;
    }

    /// <summary>Rows of equal width, one for each expert in the order of making, as the grown checkpoint has them.</summary>
    public T[] Arranged<T>(T[] rows)
    {
        var width = rows.Length / Arrangement.Count;
        return [.. Arrangement.SelectMany(made => rows[(made * width)..((made + 1) * width)])];
    }

    /// <summary>Experts that come from each source, the source itself included: r_e.</summary>
    public int[] Counts()
    {
        var counts = new int[SourceOf.Max() + 1];
        foreach (var source in SourceOf)
            counts[source]++;
        return counts;
    }

    // A stable sort by group: within one, the source's experts come first, then copies as they were made.
    private static int[] Arrange(IReadOnlyList<int> sourceOf, int groups)
    {
        var size = (sourceOf.Max() + groups) / groups;
        return [.. Enumerable.Range(0, sourceOf.Count).OrderBy(made => sourceOf[made] / size)];
    }
}

/// <summary>One doubling of a layer.</summary>
/// <param name="Scores">Score of each expert before it; empty when the method needs none.</param>
/// <param name="Order">Source of each new slot, as an index before this doubling.</param>
public sealed record Doubling(IReadOnlyList<double> Scores, IReadOnlyList<int> Order);
