using Espalier.Pipelines.Text;
using Espalier.Contracts;

namespace Espalier.Pipelines.Planning;

/// <summary>
/// Expands <c>matrix: { ratio: [0.25, 0.5], exclude: [...], include: [...] }</c> into combinations: every choice of one value
/// per axis, less those that match an exclusion, plus the inclusions as they are.
/// </summary>
internal static class Matrix
{
    private const int MaxCombinations = 1000;

    public static IReadOnlyList<IReadOnlyDictionary<string, PlacedNode>> Expand(PlacedNode? node, ProblemList problems)
    {
        if (node is null)
            return [new Dictionary<string, PlacedNode>()];
        if (node.Kind != NodeKind.Map || node.Entries.Count == 0)
        {
            problems.Add(node, $"'matrix' must be a map from axes to lists of values; found {node.Describe()}");
            return [];
        }
        List<Dictionary<string, PlacedNode>> combinations = [[]];
        foreach (var axis in node.Entries.Where(e => e.Key is not ("include" or "exclude")))
        {
            if (!IsAxis(axis, problems))
                continue;
            var longer = combinations.SelectMany(c => axis.Value.Items.Select(v => new Dictionary<string, PlacedNode>(c) { [axis.Key] = v }));
            combinations = [.. longer.Take(MaxCombinations + 1)];
        }
        var axes = node.Entries.Where(e => e.Key is not ("include" or "exclude")).Select(e => e.Key).ToList();
        var excluded = ReadList(node.Find("exclude"), "exclude", axes, problems);
        combinations.RemoveAll(c => c.Count == 0 || excluded.Any(e => e.All(pair => c.TryGetValue(pair.Key, out var value) && value.Text == pair.Value.Text)));
        combinations.AddRange(ReadList(node.Find("include"), "include", [], problems));
        if (combinations.Count > MaxCombinations)
            problems.Add(node, $"the matrix has more than {MaxCombinations} combinations");
        if (combinations.Count == 0)
            problems.Add(node, "the matrix has no combination left");
        return combinations.Count > MaxCombinations ? [] : combinations;
    }

    /// <summary>The step of one combination: <c>slim-0-25-heapr</c>.</summary>
    public static string NameOf(string stage, IReadOnlyDictionary<string, PlacedNode> combination)
    {
        var words = combination.Values.Select(v => new string([.. v.Text.ToLowerInvariant().Select(c => char.IsAsciiLetterOrDigit(c) ? c : '-')]));
        return string.Join('-', string.Join('-', words.Prepend(stage)).Split('-', StringSplitOptions.RemoveEmptyEntries));
    }

    private static bool IsAxis(PlacedEntry axis, ProblemList problems)
    {
        if (axis.Value.Kind == NodeKind.List && axis.Value.Items.Count > 0 && axis.Value.Items.All(IsScalar))
            return true;
        problems.Add(axis, $"axis '{axis.Key}' must be a list of plain values, such as [0.25, 0.5]");
        return false;
    }

    private static List<Dictionary<string, PlacedNode>> ReadList(PlacedNode? node, string key, List<string> axes, ProblemList problems)
    {
        if (node is null)
            return [];
        if (node.Kind != NodeKind.List || node.Items.Any(i => i.Kind != NodeKind.Map || i.Entries.Count == 0 || !i.Entries.All(e => IsScalar(e.Value))))
        {
            problems.Add(node, $"'{key}' must be a list of maps from axes to plain values");
            return [];
        }
        foreach (var entry in node.Items.SelectMany(i => i.Entries).Where(e => axes.Count > 0 && !axes.Contains(e.Key)))
            problems.Add(entry, $"unknown matrix axis '{entry.Key}': {NearestWord.Hint(entry.Key, axes)}");
        return [.. node.Items.Select(i => i.Entries.ToDictionary(e => e.Key, e => e.Value))];
    }

    private static bool IsScalar(PlacedNode node) => node.Kind is NodeKind.Text or NodeKind.Number or NodeKind.Bool;
}
