using Espalier.Upcycler.Duplication;
using Espalier.Upcycler.Routers;

namespace Espalier.Upcycler.Planning;

/// <summary>
/// Which experts of a grown layer are alike in weights and in logits, judged by the methods and not by numbers, so that
/// nothing needs to be read. Only such experts can be locked together.
/// </summary>
public static class Twins
{
    /// <summary>Sizes of the sets of like experts, in the order of their first member, and that member's source.</summary>
    public static IReadOnlyList<(int Source, int Count)> Find(LayerPlan plan, int sources, UpcycleOptions layer)
    {
        var (weights, logits) = (ExpertDuplication.Of(layer).Copies, RouterExtension.Of(layer).Copies);
        var kinds = Enumerable.Range(0, sources).Select(source => (Source: source, Changes: 0, Unique: 0)).ToList();
        var unique = 0;
        foreach (var doubling in plan.Doublings)
            kinds.AddRange(doubling.Order.Select(slot => Copy(kinds[slot])).ToList());
        return [.. kinds.CountBy(kind => kind).Select(pair => (pair.Key.Source, pair.Value))];

        (int, int, int) Copy((int Source, int Changes, int Unique) kind) =>
            weights == CopyKind.Distinct || logits == CopyKind.Distinct
                ? (kind.Source, kind.Changes, ++unique)
                : (kind.Source, kind.Changes + (weights == CopyKind.Alike || logits == CopyKind.Alike ? 1 : 0), kind.Unique);
    }
}
