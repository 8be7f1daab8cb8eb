using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Artifacts.Checkpoints.Families;

/// <summary>Module names inside <c>config.json</c>: quantization formats list modules, such as those that keep their weights.</summary>
internal static class FamilyConfig
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The file with the family's names on disk; the same bytes when none differs.</summary>
    public static byte[] ToDisk(byte[] config)
    {
        var naming = FamilyNames.Of(FamilyFacts.Read(config).Family);
        if (JsonNode.Parse(ByteOrderMark.Skip(config).Span) is not JsonObject root
            || root["quantization_config"] is not JsonObject quantization)
            return config;
        var changed = false;
        foreach (var modules in quantization.Select(entry => entry.Value).OfType<JsonArray>().Concat(Targets(quantization)))
        {
            for (var i = 0; i < modules.Count; i++)
            {
                if (modules[i] is not JsonValue value || !value.TryGetValue<string>(out var module) || naming.ToDisk(module) is var onDisk && onDisk == module)
                    continue;
                changed = true;
                modules[i] = onDisk;
            }
        }
        return changed ? JsonSerializer.SerializeToUtf8Bytes(root, Indented) : config;
    }

    // Modules that a group of codes names.
    private static IEnumerable<JsonArray> Targets(JsonObject quantization) => (quantization["config_groups"] as JsonObject ?? [])
        .Select(group => group.Value).OfType<JsonObject>().Select(group => group["targets"]).OfType<JsonArray>();
}
