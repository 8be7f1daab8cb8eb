using System.Globalization;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Stages;

namespace Espalier.Cli.SingleStage;

/// <summary>How one checkpoint differs from another, by tensor name.</summary>
internal sealed record CheckpointChanges
{
    public required int TensorsBefore { get; init; }

    public required int Tensors { get; init; }

    public required long BytesBefore { get; init; }

    public required long Bytes { get; init; }

    /// <summary>Tensors of both with equal shape and bytes.</summary>
    public required int Same { get; init; }

    /// <summary>Tensors of both that differ.</summary>
    public required int Changed { get; init; }

    public required int Added { get; init; }

    public required int Removed { get; init; }

    /// <summary>Top-level keys of config.json that differ: <c>8 -> 16</c>.</summary>
    public required IReadOnlyDictionary<string, string> Config { get; init; }

    /// <summary>Compares the one model that went in with the one that came out; null when there is no such pair.</summary>
    public static async Task<CheckpointChanges?> FindAsync(
        ArtifactStore store, IReadOnlyList<StepInput> inputs, StageResult result, CancellationToken cancellationToken)
    {
        var models = inputs.Where(i => i.Output == OutputNames.Model).ToList();
        if (models.Count != 1 || !result.Outputs.TryGetValue(OutputNames.Model, out var model))
            return null;
        var before = await CheckpointReader.OpenAsync(store, models[0].Artifact, cancellationToken).ConfigureAwait(false);
        var after = await CheckpointReader.OpenAsync(store, model, cancellationToken).ConfigureAwait(false);
        var old = before.Manifest.Tensors.ToDictionary(t => t.Name);
        var both = after.Manifest.Tensors.Where(t => old.ContainsKey(t.Name)).ToList();
        // Tensors that share a blob may lie elsewhere in another one: those are compared by their bytes.
        var same = both.Count(t =>
            t.DType == old[t.Name].DType
                && t.Shape.SequenceEqual(old[t.Name].Shape)
                && (t with { Shape = [] } == old[t.Name] with { Shape = [] } || before.ReadAll(t.Name).AsSpan().SequenceEqual(after.ReadAll(t.Name))));
        return new CheckpointChanges
        {
            TensorsBefore = old.Count,
            Tensors = after.Manifest.Tensors.Count,
            BytesBefore = before.Manifest.Tensors.Sum(t => t.SizeBytes),
            Bytes = after.Manifest.Tensors.Sum(t => t.SizeBytes),
            Same = same,
            Changed = both.Count - same,
            Added = after.Manifest.Tensors.Count - both.Count,
            Removed = old.Count - both.Count,
            Config = Compare(before.ReadFile("config.json"), after.ReadFile("config.json")),
        };
    }

    private static SortedDictionary<string, string> Compare(byte[] before, byte[] after)
    {
        using var a = JsonDocument.Parse(before);
        using var b = JsonDocument.Parse(after);
        var result = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var key in a.RootElement.EnumerateObject().Concat(b.RootElement.EnumerateObject()).Select(p => p.Name).Distinct())
        {
            var (old, now) = (Text(a, key), Text(b, key));
            if (old != now)
                result[key] = $"{old} -> {now}";
        }
        return result;
    }

    private static string Text(JsonDocument config, string key) =>
        !config.RootElement.TryGetProperty(key, out var value) ? "absent"
        : value.ValueKind == JsonValueKind.Number ? value.GetDouble().ToString("R", CultureInfo.InvariantCulture)
        : JsonSerializer.Serialize(value) is { Length: <= 60 } text ? text
        : value.ValueKind == JsonValueKind.Array ? $"[{value.GetArrayLength()} values]" : $"{{{Digest.Of(CanonicalJson.Serialize(value)).Short}}}";
}
