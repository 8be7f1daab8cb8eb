using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>The index of a sharded checkpoint: which shard holds which tensor.</summary>
internal sealed partial class ShardIndex
{
    public const string FileName = "model.safetensors.index.json";
    private const long MaxBytes = 256L << 20;

    /// <summary>Shard file by tensor name.</summary>
    public required IReadOnlyDictionary<string, string> Shards { get; init; }

    /// <summary>Bytes of all tensors as the index states them, or null when it does not.</summary>
    public required long? TotalBytes { get; init; }

    /// <summary>Reads and checks an index; shard names are bare file names afterwards.</summary>
    public static ShardIndex Read(string path)
    {
        var bytes = BoundedFile.Read(path, MaxBytes);
        try
        {
            using var document = JsonDocument.Parse(ByteOrderMark.Skip(bytes), new JsonDocumentOptions { MaxDepth = 16 });
            return Read(document.RootElement, path);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new UserInputException($"{path}: not a shard index: {e.Message}", e);
        }
    }

    private static ShardIndex Read(JsonElement root, string path)
    {
        if (root.ValueKind != JsonValueKind.Object || !root.TryGetProperty("weight_map", out var map) || map.ValueKind != JsonValueKind.Object)
            throw new UserInputException($"{path}: not a shard index: it has no object 'weight_map'.");
        var shards = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var entry in map.EnumerateObject())
        {
            var place = $"{path}: tensor '{LogSafe.Name(entry.Name)}'";
            if (entry.Value.ValueKind != JsonValueKind.String)
                throw new UserInputException($"{place} is not mapped to a file name.");
            var shard = entry.Value.GetString()!;
            if (!IsBareName(shard))
                throw new UserInputException(
                    $"{place} is mapped to '{LogSafe.Name(shard)}'; a shard must be a .safetensors file in the same folder, named without a path.");
            if (!shards.TryAdd(entry.Name, shard))
                throw new UserInputException($"{place} is mapped twice.");
        }
        if (shards.Count == 0)
            throw new UserInputException($"{path}: 'weight_map' is empty.");
        CheckNumbering(shards.Values.ToHashSet(StringComparer.Ordinal), path);
        return new ShardIndex { Shards = shards, TotalBytes = ReadTotal(root) };
    }

    private static long? ReadTotal(JsonElement root) =>
        root.TryGetProperty("metadata", out var metadata) && metadata.ValueKind == JsonValueKind.Object
            && metadata.TryGetProperty("total_size", out var size) && size.ValueKind == JsonValueKind.Number
            ? size.TryGetInt64(out var whole) ? whole : checked((long)Math.Clamp(size.GetDouble(), -1, 9e18))
            : null;

    private static bool IsBareName(string name) =>
        name.EndsWith(".safetensors", StringComparison.Ordinal) && name.Length is > 12 and <= 255 && name[0] != '.'
            && name.All(c => c is not ('/' or '\\' or ':') && !char.IsControl(c));

    // model-00002-of-00003.safetensors: either every shard is numbered, with one total and none missing, or none is.
    private static void CheckNumbering(HashSet<string> shards, string path)
    {
        var numbered = shards.Select(s => Numbered().Match(s)).Where(m => m.Success).ToList();
        if (numbered.Count == 0)
            return;
        var families = numbered.Select(m => (Stem: m.Groups["stem"].Value, Total: m.Groups["total"].Value)).Distinct().ToList();
        if (families.Count > 1 || numbered.Count != shards.Count)
            throw new UserInputException(
                $"{path}: shards of different series are mixed: {string.Join(", ", shards.Order(StringComparer.Ordinal).Take(5).Select(LogSafe.Name))}.");
        var total = int.Parse(families[0].Total, CultureInfo.InvariantCulture);
        var present = numbered.Select(m => int.Parse(m.Groups["number"].Value, CultureInfo.InvariantCulture)).ToHashSet();
        if (present.Any(n => n < 1 || n > total))
            throw new UserInputException($"{path}: a shard is numbered {present.First(n => n < 1 || n > total)} of {total}.");
        if (present.Count != total)
            throw new UserInputException(
                $"{path}: {present.Count} of {total} shards are mapped; the first one missing is number "
                    + $"{Enumerable.Range(1, total).First(n => !present.Contains(n))}.");
    }

    [GeneratedRegex(@"^(?<stem>.+)-(?<number>[0-9]{5})-of-(?<total>[0-9]{5})\.safetensors$", RegexOptions.ExplicitCapture)]
    private static partial Regex Numbered();
}
