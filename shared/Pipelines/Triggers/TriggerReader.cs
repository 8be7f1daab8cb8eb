using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Text;
using Espalier.Contracts;

namespace Espalier.Pipelines.Triggers;

/// <summary>Reads the <c>on</c> block: by event one trigger, or a list of them that have names.</summary>
/// <param name="kinds">The events that may be named.</param>
/// <param name="parameters">Names of the pipeline's parameters.</param>
/// <param name="problems">Where problems go.</param>
internal sealed class TriggerReader(IReadOnlyCollection<TriggerKind> kinds, IReadOnlyCollection<string> parameters, ProblemList problems)
{
    private const int MostOfAnEvent = 100;

    public IReadOnlyList<PlannedTrigger> Read(PlacedNode? node)
    {
        if (node is null)
            return [];
        if (node.Kind != NodeKind.Map)
        {
            problems.Add(node, $"'on' must be a map from events to filters; found {node.Describe()}");
            return [];
        }
        return [.. node.Entries.SelectMany(ReadEvent)];
    }

    private List<PlannedTrigger> ReadEvent(PlacedEntry entry)
    {
        if (kinds.FirstOrDefault(k => k.Event == entry.Key) is not { } kind)
        {
            problems.Add(entry, $"unknown event '{entry.Key}': {NearestWord.Hint(entry.Key, [.. kinds.Select(k => k.Event)])}");
            return [];
        }
        var nodes = entry.Value.Kind == NodeKind.List ? entry.Value.Items : [entry.Value];
        if (nodes.Count is 0 or > MostOfAnEvent)
        {
            problems.Add(entry, $"'{kind.Event}' is a list of {nodes.Count} triggers: write 1 to {MostOfAnEvent} of them, or leave it out");
            return [];
        }
        var triggers = nodes.Select(n => ReadTrigger(kind, n)).ToList();
        CheckNames(kind, nodes, triggers);
        return triggers;
    }

    private PlannedTrigger ReadTrigger(TriggerKind kind, PlacedNode node)
    {
        var before = problems.Count;
        var document = OptionReader.Read(kind.Schema, Expand(kind, node), problems, kind.Settings);
        if (problems.Count == before)
            new TriggerRules(kind, parameters, document, problems).Check();
        return new PlannedTrigger(kind.Event, document.ToElement());
    }

    // What a trigger has done and which state it is in belongs to its name: a place in a list would give it to another when one is taken out.
    private void CheckNames(TriggerKind kind, IReadOnlyList<PlacedNode> nodes, IReadOnlyList<PlannedTrigger> triggers)
    {
        var names = new HashSet<string>(StringComparer.Ordinal);
        for (var i = 0; i < triggers.Count; i++)
        {
            if (names.Add(triggers[i].Name ?? ""))
                continue;
            problems.Add(nodes[i], triggers[i].Name is { } name
                ? $"there are two triggers '{name}' of '{kind.Event}': each has a name of its own"
                : $"only one trigger of '{kind.Event}' may be without a name: give the others 'name: ...', by which they are switched and listed");
        }
    }

    private static PlacedNode Expand(TriggerKind kind, PlacedNode value) => kind.ShortForm is { } option && value.Kind == NodeKind.Text
        ? value with { Kind = NodeKind.Map, Entries = [new PlacedEntry(option, value.Line, value.Column, value)] }
        : value;
}
