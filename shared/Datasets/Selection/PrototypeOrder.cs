namespace Espalier.Datasets.Selection;

/// <summary>
/// One order of documents, of which any share is the beginning, so that a smaller choice is part of a larger one. Two lists are taken from in
/// turn: by difficulty alone, and by difficulty within each cluster, whose documents are spread evenly over the list. Hence of the first t
/// of n documents a cluster of c has at least t c / 2n, rounded down: half of its proportional share (the floor that keeps clusters of easy
/// text from dying out in "Beyond neural scaling laws", arXiv 2206.14486).
/// </summary>
internal static class PrototypeOrder
{
    /// <summary>Indices of documents, those to be kept first.</summary>
    /// <param name="clusters">(n) the prototype that each belongs to.</param>
    /// <param name="distances">(n) how far each is from it.</param>
    /// <param name="prefer">Which come first.</param>
    public static int[] Of(IReadOnlyList<int> clusters, IReadOnlyList<float> distances, KeepPreference prefer)
    {
        var sign = prefer == KeepPreference.Hard ? -1 : 1;
        int[] byDifficulty = [.. Enumerable.Range(0, clusters.Count).OrderBy(i => sign * distances[i]).ThenBy(i => i)];
        var sizes = clusters.CountBy(cluster => cluster).ToDictionary();
        var ranks = new Dictionary<int, int>();
        var byShare = byDifficulty.Select(i => (Index: i, Place: (double)(ranks[clusters[i]] = ranks.GetValueOrDefault(clusters[i]) + 1) / sizes[clusters[i]]))
            .ToList().OrderBy(document => document.Place).Select(document => document.Index).ToArray(); // a stable sort
        var (order, taken, next) = (new int[clusters.Count], new bool[clusters.Count], new int[2]);
        for (var t = 0; t < order.Length; t++)
        {
            var list = t % 2 == 0 ? byShare : byDifficulty;
            ref var at = ref next[t % 2];
            while (taken[list[at]])
                at++;
            taken[order[t] = list[at]] = true;
        }
        return order;
    }
}
