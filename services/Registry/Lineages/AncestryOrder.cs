using Espalier.Contracts;

namespace Espalier.Registry.Lineages;

/// <summary>The order in which an ancestry was made. It follows from what was made from what, so no clock can confuse it.</summary>
internal static class AncestryOrder
{
    /// <summary>Every artifact after all that it was made from; the root is the last.</summary>
    public static IReadOnlyList<Digest> ParentsFirst(Digest root, ILookup<Digest, Digest> parents)
    {
        var ordered = new List<Digest>();
        var seen = new HashSet<Digest> { root };
        var path = new Stack<(Digest Root, IEnumerator<Digest> Parents)>();
        path.Push((root, parents[root].GetEnumerator()));
        while (path.TryPeek(out var here))
        {
            if (!here.Parents.MoveNext())
            {
                ordered.Add(here.Root);
                path.Pop();
            }
            else if (seen.Add(here.Parents.Current))
            {
                path.Push((here.Parents.Current, parents[here.Parents.Current].GetEnumerator()));
            }
        }
        return ordered;
    }
}
