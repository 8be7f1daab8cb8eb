using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Text;
using Espalier.Contracts;

namespace Espalier.Pipelines.Triggers;

/// <summary>Reads the <c>on</c> block.</summary>
internal sealed class TriggerReader(IReadOnlyCollection<TriggerKind> kinds, ProblemList problems)
{
    public IReadOnlyList<PlannedTrigger> Read(PlacedNode? node)
    {
        if (node is null)
            return [];
        if (node.Kind != NodeKind.Map)
        {
            problems.Add(node, $"'on' must be a map from events to filters; found {node.Describe()}");
            return [];
        }
        return [.. node.Entries.Select(ReadTrigger).OfType<PlannedTrigger>()];
    }

    private PlannedTrigger? ReadTrigger(PlacedEntry entry)
    {
        if (kinds.FirstOrDefault(k => k.Event == entry.Key) is not { } kind)
        {
            problems.Add(entry, $"unknown event '{entry.Key}': {NearestWord.Hint(entry.Key, [.. kinds.Select(k => k.Event)])}");
            return null;
        }
        return new PlannedTrigger(kind.Event, OptionReader.Read(kind.Schema, Expand(kind, entry.Value), problems, kind.Settings).ToElement());
    }

    private static PlacedNode Expand(TriggerKind kind, PlacedNode value) => kind.ShortForm is { } option && value.Kind == NodeKind.Text
        ? value with { Kind = NodeKind.Map, Entries = [new PlacedEntry(option, value.Line, value.Column, value)] }
        : value;
}
