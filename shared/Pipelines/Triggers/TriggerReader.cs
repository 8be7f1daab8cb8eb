using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Text;
using Espalier.Contracts;

namespace Espalier.Pipelines.Triggers;

/// <summary>Reads the <c>on</c> block.</summary>
/// <param name="kinds">The events that may be named.</param>
/// <param name="parameters">Names of the pipeline's parameters.</param>
/// <param name="problems">Where problems go.</param>
internal sealed class TriggerReader(IReadOnlyCollection<TriggerKind> kinds, IReadOnlyCollection<string> parameters, ProblemList problems)
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
        var before = problems.Count;
        var document = OptionReader.Read(kind.Schema, Expand(kind, entry.Value), problems, kind.Settings);
        if (problems.Count == before)
            new TriggerRules(kind, parameters, document, problems).Check();
        return new PlannedTrigger(kind.Event, document.ToElement());
    }

    private static PlacedNode Expand(TriggerKind kind, PlacedNode value) => kind.ShortForm is { } option && value.Kind == NodeKind.Text
        ? value with { Kind = NodeKind.Map, Entries = [new PlacedEntry(option, value.Line, value.Column, value)] }
        : value;
}
