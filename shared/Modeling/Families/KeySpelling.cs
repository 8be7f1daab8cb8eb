using System.Text.Json.Nodes;

namespace Espalier.Modeling;

/// <summary>Renames the top-level keys of <c>config.json</c> between the common names and those of a family; the order stays.</summary>
internal static class KeySpelling
{
    /// <summary>As the family writes it, to common names.</summary>
    public static JsonObject ToCommon(JsonObject root, ModelFamily family) => Rename(root, family.Keys.ToDictionary(pair => pair.Value, pair => pair.Key));

    /// <summary>From common names to the family's.</summary>
    public static JsonObject ToFamily(JsonObject root, ModelFamily family) => Rename(root, family.Keys);

    private static JsonObject Rename(JsonObject root, IReadOnlyDictionary<string, string> names) =>
        names.Count == 0 ? root : new(root.Select(entry => KeyValuePair.Create(names.GetValueOrDefault(entry.Key, entry.Key), entry.Value?.DeepClone())));
}
