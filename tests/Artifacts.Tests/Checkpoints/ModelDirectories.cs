using System.Text.Json;
using Espalier.Artifacts.Checkpoints;

namespace Espalier.Artifacts.Tests.Checkpoints;

/// <summary>Writes small model directories, whole or in shards.</summary>
internal static class ModelDirectories
{
    public const string Config = """{"model_type":"olmoe","hidden_size":4}""";

    public static InMemoryTensors Tensors(int count = 6, int firstSeed = 0)
    {
        var tensors = new InMemoryTensors();
        for (var i = 0; i < count; i++)
            tensors.Add($"model.layers.{i}.weight", "F32", [2, i + 1], Floats(firstSeed + i, 2 * (i + 1)));
        return tensors;
    }

    public static byte[] Floats(int seed, int count) =>
        [.. Enumerable.Range(0, count).SelectMany(i => BitConverter.GetBytes((seed * 10f) + i))];

    public static async Task<string> WriteSingleAsync(string path, ITensorBytes tensors)
    {
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "config.json"), Config);
        await SafetensorsWriter.WriteAsync(Path.Combine(path, "model.safetensors"), tensors);
        return path;
    }

    /// <summary>Deals the tensors out to shards in turn, so that no shard holds neighbours.</summary>
    public static async Task<string> WriteShardedAsync(string path, ITensorBytes tensors, int shards)
    {
        Directory.CreateDirectory(path);
        File.WriteAllText(Path.Combine(path, "config.json"), Config);
        var map = tensors.Names.Select((name, i) => (name, shard: ShardName((i % shards) + 1, shards))).ToDictionary(t => t.name, t => t.shard);
        foreach (var shard in map.GroupBy(p => p.Value))
            await SafetensorsWriter.WriteAsync(Path.Combine(path, shard.Key), tensors, shard.Select(p => p.Key));
        WriteIndex(path, map, tensors.Names.Sum(n => tensors.Describe(n).SizeBytes));
        return path;
    }

    public static string ShardName(int number, int of) => $"model-{number:00000}-of-{of:00000}.safetensors";

    public static void WriteIndex(string path, IReadOnlyDictionary<string, string> map, long? total = null) =>
        File.WriteAllText(
            Path.Combine(path, "model.safetensors.index.json"),
            total is null
                ? JsonSerializer.Serialize(new { weight_map = map })
                : JsonSerializer.Serialize(new { metadata = new { total_size = total }, weight_map = map }));
}
