using Espalier.Contracts;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>Reads <c>notify: { failed: [ops, chat], succeeded: chat }</c>: who is told of which end of a run.</summary>
internal static class NotifyReader
{
    /// <summary>Ends that can be told, as the file names them.</summary>
    public static IReadOnlyDictionary<string, RunState> Ends { get; } = new Dictionary<string, RunState>
    {
        ["succeeded"] = RunState.Succeeded, ["failed"] = RunState.Failed, ["cancelled"] = RunState.Cancelled,
    };

    public static IReadOnlyList<PlannedNotice> Read(PlacedNode? node, ProblemList problems)
    {
        if (node is null)
            return [];
        if (node.Kind != NodeKind.Map)
        {
            problems.Add(node, $"'notify' must be a map from ends of a run to names; found {node.Describe()}");
            return [];
        }
        return [.. node.Entries.SelectMany(entry => ReadEnd(entry, problems)).Distinct()];
    }

    private static IEnumerable<PlannedNotice> ReadEnd(PlacedEntry entry, ProblemList problems)
    {
        if (!Ends.TryGetValue(entry.Key, out var end))
        {
            problems.Add(entry, $"unknown end '{entry.Key}': {NearestWord.Hint(entry.Key, [.. Ends.Keys])}");
            yield break;
        }
        foreach (var name in entry.Value.Kind == NodeKind.List ? entry.Value.Items : [entry.Value])
        {
            if (name.Kind == NodeKind.Text && StepNames.IsValid(name.Text))
                yield return new PlannedNotice(end, name.Text);
            else
                problems.Add(name, $"who is told is named as an administrator has set it, never by an address: {StepNames.Rule}");
        }
    }
}
