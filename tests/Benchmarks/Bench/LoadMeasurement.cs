using System.Diagnostics;
using System.Security.Cryptography;
using Espalier.Artifacts.Checkpoints;
using Espalier.Modeling;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Bench;

/// <summary>Opening a checkpoint of 2 GB and reading one layer of it.</summary>
/// <param name="CheckpointBytes">Size of the directory's weights.</param>
/// <param name="LayerBytes">Bytes of the layer that is read.</param>
/// <param name="FirstMilliseconds">The first time.</param>
/// <param name="WarmMilliseconds">Median of the times after it.</param>
/// <param name="WarmHighMilliseconds">The slowest of them.</param>
/// <param name="AddedBytes">Memory that the process holds more while it has the layer, above the layer itself.</param>
internal sealed record LoadMeasurement(
    long CheckpointBytes, long LayerBytes, double FirstMilliseconds, double WarmMilliseconds, double WarmHighMilliseconds, long AddedBytes)
{
    private const int Rounds = 9;

    private static readonly ModelConfig Model = ModelConfig.Tiny(4096) with
    {
        HiddenSize = 1024, Layers = 32, Heads = 16, KeyValueHeads = 16, HeadSize = 64,
        Experts = 18, ExpertsPerToken = 2, ExpertSize = 512, WeightType = "bfloat16",
    };

    /// <summary>Writes the checkpoint into a new folder under <paramref name="folder"/>, measures, and removes it.</summary>
    public static async Task<LoadMeasurement> RunAsync(string folder, CancellationToken cancellationToken)
    {
        var directory = Path.Combine(folder, $"bench-load-{Guid.NewGuid():n}");
        Directory.CreateDirectory(directory);
        try
        {
            var bytes = await WriteAsync(directory, cancellationToken).ConfigureAwait(false);
            var (times, layer, added) = (new List<double>(), 0L, 0L);
            for (var round = 0; round < Rounds; round++)
            {
                using var scope = NewDisposeScope();
                var before = Process.GetCurrentProcess().WorkingSet64;
                var start = Stopwatch.GetTimestamp();
                using var source = HuggingFaceDirectory.Open(directory);
                var weights = new StoredWeights(source);
                var prefix = TensorNames.Layer(Model.Layers / 2);
                var tensors = source.Names.Where(name => name.StartsWith(prefix, StringComparison.Ordinal)).Select(weights.Read).ToList();
                times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
                layer = tensors.Sum(t => t.numel() * t.element_size());
                added = Process.GetCurrentProcess().WorkingSet64 - before - layer;
            }
            var warm = times.Skip(1).Order().ToList();
            return new LoadMeasurement(bytes, layer, times[0], warm[warm.Count / 2], warm[^1], Math.Max(0, added));
        }
        finally
        {
            Directory.Delete(directory, recursive: true);
        }
    }

    private static async Task<long> WriteAsync(string directory, CancellationToken cancellationToken)
    {
        await File.WriteAllBytesAsync(Path.Combine(directory, "config.json"), Model.ToJson(), cancellationToken).ConfigureAwait(false);
        var layout = SafetensorsWriter.Layout(Tensors().Select(t => new TensorHeader(t.Name, "BF16", t.Shape, 2 * t.Shape.Aggregate(1L, (a, b) => a * b))));
        var noise = RandomNumberGenerator.GetBytes(1 << 20);
        var path = Path.Combine(directory, "model.safetensors");
        await using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, 1 << 20, FileOptions.Asynchronous);
        await file.WriteAsync(SafetensorsWriter.Header(layout, SafetensorsWriter.DefaultMetadata), cancellationToken).ConfigureAwait(false);
        foreach (var tensor in layout)
        {
            for (var left = tensor.SizeBytes; left > 0; left -= noise.Length)
                await file.WriteAsync(noise.AsMemory(0, (int)Math.Min(left, noise.Length)), cancellationToken).ConfigureAwait(false);
        }
        return file.Length;
    }

    private static IEnumerable<(string Name, long[] Shape)> Tensors()
    {
        long width = Model.HiddenSize, inner = Model.ExpertSize;
        yield return (TensorNames.Embedding, [Model.VocabularySize, width]);
        yield return (TensorNames.Head, [Model.VocabularySize, width]);
        yield return (TensorNames.FinalNorm, [width]);
        for (var layer = 0; layer < Model.Layers; layer++)
        {
            foreach (var name in (string[])["q_proj", "k_proj", "v_proj", "o_proj"])
                yield return (TensorNames.Layer(layer) + $"self_attn.{name}.weight", [width, width]);
            foreach (var name in (string[])["self_attn.q_norm", "self_attn.k_norm", "input_layernorm", "post_attention_layernorm"])
                yield return (TensorNames.Layer(layer) + name + ".weight", [width]);
            yield return (TensorNames.Router(layer), [Model.Experts, width]);
            for (var expert = 0; expert < Model.Experts; expert++)
            {
                yield return (TensorNames.Expert(layer, expert, "gate"), [inner, width]);
                yield return (TensorNames.Expert(layer, expert, "up"), [inner, width]);
                yield return (TensorNames.Expert(layer, expert, "down"), [width, inner]);
            }
        }
    }
}
