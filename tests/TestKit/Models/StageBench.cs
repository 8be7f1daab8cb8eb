using System.Text;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Datasets;
using static TorchSharp.torch;

namespace Espalier.TestKit.Models;

/// <summary>A temporary store with tiny models and datasets, to run a real stage on.</summary>
public sealed class StageBench : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-bench-");

    public StageBench() =>
        Store = new ArtifactStore(new FileBlobStore(Path.Combine(_folder.FullName, "store"), new FileBlobStoreOptions { IsDurable = false }));

    public ArtifactStore Store { get; }

    public MemoryCursor Cursor { get; } = new();

    /// <summary>
    /// A model of random weights; <paramref name="edit"/> may change each before it is stored. Its tokens are bytes, unless
    /// <paramref name="files"/> has a tokenizer or its vocabulary is too small for them.
    /// </summary>
    public async Task<ManifestRef> ModelAsync(
        ModelConfig config, long seed = 1, Action<string, Tensor>? edit = null, IReadOnlyDictionary<string, byte[]>? files = null)
    {
        using var writer = new CheckpointWriter(Store);
        foreach (var (name, dtype, shape, bytes) in Weights(config, seed, edit))
            await writer.AddTensorAsync(name, dtype, shape, bytes, default);
        await writer.AddFileAsync("config.json", config.ToJson(), default);
        foreach (var (path, bytes) in files ?? ByteFiles.For(config))
            await writer.AddFileAsync(path, bytes, default);
        return await writer.CommitAsync(default);
    }

    /// <summary>A dataset with one file per (split, domain).</summary>
    public async Task<ManifestRef> DatasetAsync(
        IReadOnlyDictionary<string, IReadOnlyList<string>> texts, IReadOnlyDictionary<string, IReadOnlyList<MultipleChoiceItem>>? choices = null)
    {
        var files = new List<FileEntry>();
        foreach (var (path, documents) in texts)
            files.Add(await FileAsync($"{path}.jsonl", documents.Select((text, i) => new Document($"{path}-{i}", text))));
        foreach (var (name, items) in choices ?? new Dictionary<string, IReadOnlyList<MultipleChoiceItem>>())
            files.Add(await FileAsync($"multiple-choice/{name}.jsonl", items));
        var properties = new DatasetProperties
        {
            Source = "file",
            Domains = texts.GroupBy(t => t.Key.Split('/')[1]).ToDictionary(
                domain => domain.Key,
                domain => new DomainProperties
                {
                    Splits = domain.ToDictionary(d => d.Key.Split('/')[0], d => new SplitSize(d.Value.Count, d.Value.Sum(t => Encoding.UTF8.GetByteCount(t)))),
                }),
        };
        return await Store.PublishAsync(
            new Manifest
            {
                Kind = ArtifactKind.Dataset,
                Files = [.. files.OrderBy(f => f.Path, StringComparer.Ordinal)],
                Properties = JsonSerializer.SerializeToNode(properties, WireJson.Options)!.AsObject(),
            },
            default);
    }

    public StageContext Context(string options, params StepInput[] inputs) => new()
    {
        Step = new StepAddress(Guid.Empty, "bench", Digest.Of(Encoding.UTF8.GetBytes(options))),
        Options = JsonDocument.Parse(options).RootElement,
        Inputs = inputs,
        Artifacts = Store,
        Cursor = Cursor,
        Progress = new SilentProgress(),
        Cache = _folder.CreateSubdirectory("cache"),
    };

    /// <summary>
    /// A model of one layer as one of many, which are all equal: the bytes are those of a deep model, and making them takes no time.
    /// </summary>
    public async Task<ManifestRef> DeepenAsync(ManifestRef shallow, ModelConfig config, int layers)
    {
        var source = await OpenAsync(shallow);
        using var writer = new CheckpointWriter(Store);
        await writer.AddFileAsync("config.json", (config with { Layers = layers }).ToJson(), default);
        foreach (var (path, bytes) in ByteFiles.For(config))
            await writer.AddFileAsync(path, bytes, default);
        foreach (var tensor in source.Manifest.Tensors)
        {
            if (!tensor.Name.StartsWith(TensorNames.Layer(0), StringComparison.Ordinal))
                writer.AddExisting(tensor);
            else
                for (var layer = 0; layer < layers; layer++)
                    writer.AddExisting(tensor, TensorNames.Layer(layer) + tensor.Name[TensorNames.Layer(0).Length..]);
        }
        return await writer.CommitAsync(default);
    }

    public Task<CheckpointReader> OpenAsync(ManifestRef artifact) => CheckpointReader.OpenAsync(Store, artifact, default);

    public void Dispose() => _folder.Delete(recursive: true);

    private static List<(string Name, string DType, long[] Shape, byte[] Bytes)> Weights(ModelConfig config, long seed, Action<string, Tensor>? edit)
    {
        using var scope = NewDisposeScope();
        using var decoder = MoeDecoder.Create(config, seed);
        var weights = new List<(string, string, long[], byte[])>();
        foreach (var (name, value) in decoder.ExportWeights())
        {
            edit?.Invoke(name, value);
            var stored = value.to(ElementTypes.FromConfig(config.WeightType)).contiguous();
            weights.Add((name, ElementTypes.NameOf(stored.dtype), stored.shape, stored.bytes.ToArray()));
        }
        return weights;
    }

    private async Task<FileEntry> FileAsync<T>(string path, IEnumerable<T> lines)
    {
        var text = string.Concat(lines.Select(line => JsonSerializer.Serialize(line, WireJson.Options) + "\n"));
        var receipt = await Store.Blobs.PutAsync(Encoding.UTF8.GetBytes(text), default);
        return new FileEntry(path, receipt.Digest, receipt.SizeBytes);
    }

    private sealed class SilentProgress : IStageProgress
    {
        public void Report(string phase, long done, long total, string unit)
        {
        }

        public void Metric(string name, double value)
        {
        }

        public void Log(string message)
        {
        }
    }
}
