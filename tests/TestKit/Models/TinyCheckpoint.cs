using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery;

namespace Espalier.TestKit.Models;

/// <summary>A store in a temporary folder with a small random model in it, and stage contexts to work on it.</summary>
public sealed class TinyCheckpoint : IDisposable
{
    private static readonly string[] Words = ["expert", "router", "token", "gate", "layer", "width", "loss", "seed", "prune", "grow"];

    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-surgery-");

    private TinyCheckpoint(ModelConfig config) => (Store, Config) = (new ArtifactStore(new FileBlobStore(_folder.FullName)), config);

    public ArtifactStore Store { get; }

    public ModelConfig Config { get; }

    public ManifestRef Model { get; private set; } = null!;

    public MemoryCursor Cursor { get; } = new();

    public List<StepInput> Inputs { get; } = [];

    public RecordedProgress Progress { get; } = new();

    /// <summary>Stores a random model: matrices normal, norms near 1; its tokens are bytes unless <paramref name="files"/> says otherwise.</summary>
    public static async Task<TinyCheckpoint> CreateAsync(
        ModelConfig? config = null, string dtype = "F32", long seed = 1, bool selectionBias = false, bool routerBias = false,
        Func<string, float[], float[]>? change = null, IReadOnlyDictionary<string, byte[]>? files = null)
    {
        var tiny = new TinyCheckpoint(config ?? ModelConfig.Tiny());
        using var writer = new CheckpointWriter(tiny.Store);
        await writer.AddFileAsync("config.json", tiny.Config.ToJson(), default);
        await writer.AddFileAsync("generation_config.json", "{}"u8.ToArray(), default);
        foreach (var (path, bytes) in files ?? ByteFiles.For(tiny.Config))
            await writer.AddFileAsync(path, bytes, default);
        foreach (var (name, shape) in Shapes(tiny.Config, selectionBias, routerBias))
        {
            var values = Values(name, shape, seed);
            var type = name.EndsWith("bias", StringComparison.Ordinal) ? "F32" : dtype;
            await writer.AddTensorAsync(name, type, shape, FloatBytes.FromFloats(type, change?.Invoke(name, values) ?? values), default);
        }
        tiny.Model = await writer.CommitAsync(default);
        tiny.Inputs.Add(new StepInput("base", OutputNames.Model, tiny.Model));
        return tiny;
    }

    public StageContext Context(string optionsJson) => new()
    {
        Step = new StepAddress(Guid.Empty, "step", Digest.Of("step"u8)),
        Options = JsonDocument.Parse(optionsJson).RootElement,
        Inputs = Inputs,
        Artifacts = Store,
        Cursor = Cursor,
        Progress = Progress,
        Cache = _folder.CreateSubdirectory("cache"),
    };

    /// <summary>Stores a dataset of random words as the step's calibration text.</summary>
    public async Task AddCalibrationAsync()
    {
        var random = new KeyedRandom(5, 0, "words");
        var lines = Enumerable.Range(0, 40).Select(d => JsonSerializer.Serialize(
            new { id = $"doc-{d}", text = string.Join(' ', Enumerable.Range(0, 60).Select(_ => Words[random.NextIndex(Words.Length)])) }));
        var text = await Store.Blobs.PutAsync(System.Text.Encoding.UTF8.GetBytes(string.Join('\n', lines) + "\n"), default);
        var splits = new JsonObject { ["train"] = new JsonObject { ["documents"] = 40, ["size-bytes"] = text.SizeBytes } };
        var dataset = await Store.PublishAsync(new Manifest
        {
            Kind = ArtifactKind.Dataset,
            Files = [new FileEntry("train/words.jsonl", text.Digest, text.SizeBytes)],
            Properties = new JsonObject { ["source"] = "file", ["domains"] = new JsonObject { ["words"] = new JsonObject { ["splits"] = splits } } },
        }, default);
        Inputs.Add(new StepInput("text", "calibration.data", dataset));
    }

    public async Task<MoeCheckpoint> OpenAsync(ManifestRef model) => await MoeCheckpoint.OpenAsync(Store, model, default);

    public async Task<JsonElement> ReportAsync(StageResult result, string path = "report.json")
    {
        var manifest = await Store.ReadAsync(result.Outputs[OutputNames.Report].Root, default);
        var file = manifest.Files.Single(f => f.Path == path);
        using var stream = await Store.Blobs.OpenReadAsync(file.Blob, 0, null, default);
        return (await JsonDocument.ParseAsync(stream)).RootElement;
    }

    public void Dispose() => _folder.Delete(recursive: true);

    private static float[] Values(string name, long[] shape, long seed)
    {
        var random = new KeyedRandom(seed, 0, name);
        var isNorm = name.EndsWith("norm.weight", StringComparison.Ordinal);
        var values = new float[shape.Aggregate(1L, (a, b) => a * b)];
        for (var i = 0; i < values.Length; i++)
            values[i] = (float)(isNorm ? 1 + 0.1 * random.NextNormal() : 0.2 * random.NextNormal());
        return values;
    }

    private static IEnumerable<(string Name, long[] Shape)> Shapes(ModelConfig c, bool selectionBias, bool routerBias)
    {
        yield return (TensorNames.Embedding, [c.VocabularySize, c.HiddenSize]);
        yield return (TensorNames.FinalNorm, [c.HiddenSize]);
        yield return (TensorNames.Head, [c.VocabularySize, c.HiddenSize]);
        for (var l = 0; l < c.Layers; l++)
        {
            var attention = (long)c.Heads * c.HeadSize;
            foreach (var norm in (string[])["input_layernorm", "post_attention_layernorm"])
                yield return (TensorNames.Layer(l) + norm + ".weight", [c.HiddenSize]);
            foreach (var projection in (string[])["q", "k", "v"])
                yield return (TensorNames.Layer(l) + $"self_attn.{projection}_proj.weight", [attention, c.HiddenSize]);
            yield return (TensorNames.Layer(l) + "self_attn.o_proj.weight", [c.HiddenSize, attention]);
            foreach (var norm in (string[])["q", "k"])
                yield return (TensorNames.Layer(l) + $"self_attn.{norm}_norm.weight", [attention]);
            yield return (TensorNames.Router(l), [c.Experts, c.HiddenSize]);
            if (routerBias)
                yield return (TensorNames.RouterBias(l), [c.Experts]);
            if (selectionBias)
                yield return (TensorNames.SelectionBias(l), [c.Experts]);
            for (var e = 0; e < c.Experts; e++)
            {
                yield return (TensorNames.Expert(l, e, "gate"), [c.ExpertSize, c.HiddenSize]);
                yield return (TensorNames.Expert(l, e, "up"), [c.ExpertSize, c.HiddenSize]);
                yield return (TensorNames.Expert(l, e, "down"), [c.HiddenSize, c.ExpertSize]);
            }
        }
    }

    public sealed class RecordedProgress : IStageProgress
    {
        public List<string> Lines { get; } = [];

        public List<(string Phase, long Done)> Reports { get; } = [];

        /// <summary>Called at every report; a test throws here to interrupt the work.</summary>
        public Action<string, long>? OnReport { get; set; }

        public void Report(string phase, long done, long total, string unit)
        {
            Reports.Add((phase, done));
            OnReport?.Invoke(phase, done);
        }

        public void Metric(string name, double value)
        {
        }

        public void Log(string message) => Lines.Add(message);
    }
}
