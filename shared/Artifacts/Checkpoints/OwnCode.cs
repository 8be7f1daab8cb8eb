using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>A model's own code: Python files that <c>auto_map</c> names. They are carried with the checkpoint and never run here.</summary>
internal static class OwnCode
{
    // "configuration_x.XConfig" is in this directory, "owner/name--configuration_x.XConfig" in another repository.
    private const string OtherRepository = "--";
    private const string Key = "auto_map";
    private static readonly JsonSerializerOptions Layout = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Files whose <c>auto_map</c> names a module that the directory does not have, with the module's file.</summary>
    public static IEnumerable<(string File, string Module)> Missing(HuggingFaceDirectory directory) =>
        from file in directory.Files
        where file.EndsWith("config.json", StringComparison.Ordinal)
        from module in ModulesOf(directory.ReadFile(file)).Distinct(StringComparer.Ordinal)
        where !directory.HasFile(module)
        select (file, module);

    /// <summary>A file without the entries of <c>auto_map</c> that name one of the modules: loaders would fail on them.</summary>
    public static byte[] Without(byte[] json, IEnumerable<string> modules)
    {
        var missing = modules.ToHashSet(StringComparer.Ordinal);
        var root = JsonNode.Parse(json)!.AsObject();
        if (root[Key] is JsonObject map)
        {
            foreach (var name in map.Where(entry => ModulesOf(entry.Value).Any(missing.Contains)).Select(entry => entry.Key).ToList())
                map.Remove(name);
        }
        if (root[Key] is not JsonObject { Count: > 0 })
            root.Remove(Key);
        return JsonSerializer.SerializeToUtf8Bytes(root, Layout);
    }

    private static List<string> ModulesOf(JsonNode? value)
    {
        var names = new List<string>();
        Collect(JsonSerializer.SerializeToElement(value), names);
        return FilesOf(names);
    }

    private static List<string> ModulesOf(byte[] json)
    {
        var names = new List<string>();
        try
        {
            using var document = JsonDocument.Parse(json);
            if (document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty(Key, out var map))
                Collect(map, names);
        }
        catch (JsonException)
        {
            return []; // whoever needs the file says what is wrong with it
        }
        return FilesOf(names);
    }

    private static List<string> FilesOf(List<string> names) =>
        [.. names.Where(name => !name.Contains(OtherRepository, StringComparison.Ordinal) && name.Contains('.', StringComparison.Ordinal))
            .Select(name => name[..name.LastIndexOf('.')].Replace('.', '/') + ".py")];

    // A class, a list of classes (slow and fast tokenizer), or an object of them.
    private static void Collect(JsonElement value, List<string> names)
    {
        switch (value.ValueKind)
        {
            case JsonValueKind.String:
                names.Add(value.GetString()!);
                break;
            case JsonValueKind.Array:
                foreach (var item in value.EnumerateArray())
                    Collect(item, names);
                break;
            case JsonValueKind.Object:
                foreach (var entry in value.EnumerateObject())
                    Collect(entry.Value, names);
                break;
        }
    }
}
