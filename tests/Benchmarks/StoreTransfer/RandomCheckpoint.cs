using System.Buffers.Binary;
using System.Text;
using System.Text.Json;

namespace Espalier.Benchmarks.StoreTransfer;

/// <summary>A Hugging Face directory whose tensors are random bytes, so that nothing can be compressed or shared.</summary>
internal static class RandomCheckpoint
{
    public const string File = "model.safetensors";
    private const int Hidden = 2048;

    public static void Write(string folder, int megabytes)
    {
        Directory.CreateDirectory(folder);
        System.IO.File.WriteAllText(Path.Combine(folder, "config.json"), JsonSerializer.Serialize(
            new Dictionary<string, object> { ["model_type"] = "olmoe", ["architectures"] = new[] { "OlmoeForCausalLM" } }));
        var tensorBytes = 8 << 20; // an expert's matrix of a 7B model
        var count = Math.Max(1, megabytes / 8);
        var header = Encoding.UTF8.GetBytes(JsonSerializer.Serialize(Enumerable.Range(0, count).ToDictionary(
            i => $"model.layers.{i / 192}.mlp.experts.{i / 3 % 64}.{new[] { "gate", "up", "down" }[i % 3]}_proj.weight",
            i => (object)new
            {
                dtype = "BF16",
                shape = new[] { Hidden, tensorBytes / 2 / Hidden },
                data_offsets = new[] { (long)i * tensorBytes, (long)(i + 1) * tensorBytes },
            })));
        using var file = System.IO.File.Create(Path.Combine(folder, File));
        var length = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(length, (ulong)header.Length);
        file.Write(length);
        file.Write(header);
        var random = new Random(1);
        var values = new byte[tensorBytes];
        for (var i = 0; i < count; i++)
        {
            random.NextBytes(values);
            for (var high = 1; high < values.Length; high += 2)
                values[high] = (byte)((values[high] & 0x83) | 0x3C); // an exponent that is neither infinite nor none
            file.Write(values);
        }
    }
}
