namespace Espalier.Pipelines.Text;

/// <summary>
/// The merge key of YAML 1.1: <c>&lt;&lt;: *name</c> takes over the entries of another map, or of several. Keys that the map has itself
/// win, then those of the map that comes first.
/// </summary>
internal static class MergeKey
{
    public const string Name = "<<";

    /// <summary>Entries with what is merged in place of its key.</summary>
    /// <param name="entries">Entries of a map.</param>
    /// <param name="refuse">Told of a value that cannot be merged; the entry is then left out when the answer is false, else kept.</param>
    public static IReadOnlyList<PlacedEntry> Expand(IReadOnlyList<PlacedEntry> entries, Func<PlacedNode, bool> refuse)
    {
        if (entries.All(e => e.Key != Name))
            return entries;
        var taken = entries.Select(e => e.Key).ToHashSet(StringComparer.Ordinal);
        var result = new List<PlacedEntry>();
        foreach (var entry in entries)
        {
            if (entry.Key != Name)
                result.Add(entry);
            else if (MapsOf(entry.Value) is { } maps)
                result.AddRange(maps.SelectMany(m => m.Entries).Where(e => taken.Add(e.Key)));
            else if (refuse(entry.Value))
                result.Add(entry);
        }
        return result;
    }

    /// <summary>What is said about a value that cannot be merged.</summary>
    public static string Rule(PlacedNode value) => $"'{Name}' takes over the entries of a map, or of a list of maps; found {value.Describe()}";

    private static IReadOnlyList<PlacedNode>? MapsOf(PlacedNode value) => value.Kind switch
    {
        NodeKind.Map => [value],
        NodeKind.List when value.Items.All(i => i.Kind == NodeKind.Map) => value.Items,
        _ => null,
    };
}
