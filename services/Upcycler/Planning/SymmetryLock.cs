namespace Espalier.Upcycler.Planning;

/// <summary>
/// Finds exact copies that can never become different. Without noise, copies of one source have equal logits, so the
/// sorted list holds whole groups and top-K cuts at most one of them, lower indices first. Two neighbours in a group
/// separate only if some cut falls between them; two that are always chosen together get equal gates, gradients and
/// loads for ever. A cut leaves c members of a group inside when the groups ahead hold K - c experts together.
/// </summary>
public static class SymmetryLock
{
    /// <summary>A source of experts that stay equal to each other, or null when every pair that is used can separate.</summary>
    /// <param name="twins">Sets of like experts.</param>
    /// <param name="expertsPerToken">K.</param>
    public static int? FindLocked(IReadOnlyList<(int Source, int Count)> twins, int expertsPerToken) =>
        FindLocked([.. twins.Select(twin => twin.Count)], expertsPerToken) is { } index ? twins[index].Source : null;

    /// <summary>A source whose copies stay equal to it or to each other, or null when every pair that is used can separate.</summary>
    /// <param name="counts">Experts per source in the grown layer, r_e.</param>
    /// <param name="expertsPerToken">K.</param>
    public static int? FindLocked(IReadOnlyList<int> counts, int expertsPerToken)
    {
        for (var source = 0; source < counts.Count; source++)
        {
            var inside = ReachableCuts(counts, source, expertsPerToken);
            for (var member = 1; member < counts[source]; member++)
                if (inside.Any(c => c > member) && !inside.Contains(member))
                    return source;
        }
        return null;
    }

    // How many members of the group can be chosen at once, over all orders of the groups.
    private static HashSet<int> ReachableCuts(IReadOnlyList<int> counts, int source, int expertsPerToken)
    {
        var ahead = new bool[expertsPerToken]; // sums of other groups below K
        ahead[0] = true;
        for (var other = 0; other < counts.Count; other++)
            if (other != source)
                for (var sum = expertsPerToken - 1; sum >= counts[other]; sum--)
                    ahead[sum] |= ahead[sum - counts[other]];
        return [.. Enumerable.Range(0, expertsPerToken).Where(sum => ahead[sum]).Select(sum => Math.Min(counts[source], expertsPerToken - sum))];
    }
}
