using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Artifacts.Checkpoints.Families;

/// <summary>Module names inside <c>config.json</c>: a quantized model lists those that keep their weights.</summary>
internal static class FamilyConfig
{
    private static readonly JsonSerializerOptions Indented = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The file with the family's names on disk; the same bytes when none differs.</summary>
    public static byte[] ToDisk(byte[] config)
    {
        var family = FamilyFacts.Read(config).Family;
        if (JsonNode.Parse(config.AsSpan().StartsWith("\uFEFF"u8) ? config.AsSpan(3) : config) is not JsonObject root || root["quantization_config"]?["ignore"] is not JsonArray ignored)
            return config;
        var changed = false;
        for (var i = 0; i < ignored.Count; i++)
        {
            if (ignored[i] is not JsonValue value || !value.TryGetValue<string>(out var module) || module.StartsWith("re:", StringComparison.Ordinal))
                continue;
            var onDisk = FamilyNames.ToDisk(family, module + ".weight")[..^".weight".Length];
            changed |= onDisk != module;
            ignored[i] = onDisk;
        }
        return changed ? JsonSerializer.SerializeToUtf8Bytes(root, Indented) : config;
    }
}
