using System.Text.Json;

namespace Espalier.Registry.Comparisons;

/// <summary>Values in which two JSON documents differ, by path.</summary>
internal static class ConfigDifferences
{
    private const int Most = 1000;

    public static IReadOnlyList<ConfigDifference> Find(JsonElement left, JsonElement right) => [.. Walk("", left, right).Take(Most)];

    private static IEnumerable<ConfigDifference> Walk(string path, JsonElement? left, JsonElement? right)
    {
        if (left is { ValueKind: JsonValueKind.Object } a && right is { ValueKind: JsonValueKind.Object } b)
        {
            foreach (var name in a.EnumerateObject().Select(p => p.Name).Union(b.EnumerateObject().Select(p => p.Name)).Order(StringComparer.Ordinal))
                foreach (var difference in Walk(path.Length == 0 ? name : $"{path}.{name}", Find(a, name), Find(b, name)))
                    yield return difference;
        }
        else if (left is null || right is null || !JsonElement.DeepEquals(left.Value, right.Value))
        {
            yield return new ConfigDifference(path, left, right);
        }
    }

    private static JsonElement? Find(JsonElement value, string name) => value.TryGetProperty(name, out var found) ? found : null;
}
