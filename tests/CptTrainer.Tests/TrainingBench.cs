using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.CptTrainer;
using Espalier.CptTrainer.Options;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Datasets;
using Espalier.TestKit.Models;
using Espalier.Tokenizers;

namespace Espalier.CptTrainer.Tests;

/// <summary>A store in a temporary folder, a small dataset, and a way to run the stage as a worker would.</summary>
public sealed class TrainingBench : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-train-");

    public TrainingBench() => Store = new ArtifactStore(new FileBlobStore(
        Path.Combine(_folder.FullName, "store"), new FileBlobStoreOptions { IsDurable = false, ReservedBytes = 0 }));

    public ArtifactStore Store { get; }

    public const string TinyModel = """{"layers":2,"hidden":32,"heads":4,"experts":4,"top-k":2,"expert-size":24}""";

    public static JsonObject Options(string more = "{}", string? model = TinyModel)
    {
        var options = JsonNode.Parse(
            """{"data":"file:text","tokens":1024,"length":16,"batch":4,"learning-rate":0.01,"seed":3,"checkpoint-every":"01:00:00"}""")!.AsObject();
        if (model is not null)
            options["model"] = JsonNode.Parse(model);
        foreach (var (key, value) in JsonNode.Parse(more)!.AsObject())
            options[key] = value?.DeepClone();
        return options;
    }

    public Task<ManifestRef> AddDatasetAsync(params string[] documents) => AddPartsAsync("file", ("train/words", documents));

    /// <summary>Stores documents by SPLIT/DOMAIN.</summary>
    public async Task<ManifestRef> AddPartsAsync(string source, params (string Path, string[] Documents)[] parts)
    {
        using var writer = new CheckpointWriter(Store, ArtifactKind.Dataset);
        foreach (var (path, documents) in parts)
        {
            var lines = documents.Select((text, i) => JsonSerializer.Serialize(new { id = $"{i}", text }) + "\n");
            await writer.AddFileAsync($"{path}.jsonl", Encoding.UTF8.GetBytes(string.Concat(lines)), default);
        }
        var properties = new DatasetProperties
        {
            Source = source,
            Domains = parts.GroupBy(part => part.Path.Split('/')[1]).ToDictionary(domain => domain.Key, domain => new DomainProperties
            {
                Splits = domain.ToDictionary(
                    part => part.Path.Split('/')[0], part => new SplitSize(part.Documents.Length, part.Documents.Sum(d => (long)d.Length))),
            }),
        };
        writer.SetProperties(JsonSerializer.SerializeToNode(properties, WireJson.Options)!.AsObject());
        return await writer.CommitAsync(default);
    }

    public Task<ManifestRef> AddRepetitiveDatasetAsync() =>
        AddDatasetAsync([.. Enumerable.Range(0, 40).Select(i => string.Concat(Enumerable.Repeat($"abc{i % 3} ", 12)))]);

    /// <summary>Stores a model; its tokens are bytes unless <paramref name="files"/> says otherwise.</summary>
    public async Task<ManifestRef> AddModelAsync(MoeDecoder decoder, IReadOnlyDictionary<string, byte[]>? files = null)
    {
        using var writer = new CheckpointWriter(Store);
        await CheckpointSaver.AddAsync(writer, decoder, default);
        await AddFilesAsync(writer, files ?? ByteLevelBpe.OfBytes().Files);
        return await writer.CommitAsync(default);
    }

    public static async Task AddFilesAsync(CheckpointWriter writer, IReadOnlyDictionary<string, byte[]> files)
    {
        foreach (var (path, bytes) in files)
            await writer.AddFileAsync(path, bytes, default);
    }

    /// <summary>For contexts made from now on.</summary>
    public int MemoryDivisor { get; set; } = 1;

    public StageContext Context(
        ManifestRef data, JsonObject options, IStageCursor? cursor = null, IStageProgress? progress = null, params StepInput[] inputs) => new()
    {
        Step = new StepAddress(Guid.Empty, "base", Digest.Of("step"u8)),
        Options = JsonSerializer.SerializeToElement(JsonSerializer.Deserialize<TrainOptions>(options, WireJson.Options), WireJson.Options),
        Inputs = [new StepInput("data", "data", data), .. inputs],
        Artifacts = Store,
        Cursor = cursor ?? new MemoryCursor(),
        Progress = progress ?? new TrainingProgress(),
        MemoryDivisor = MemoryDivisor,
        Cache = _folder.CreateSubdirectory($"cache-{Guid.NewGuid():n}"),
    };

    public static Task<StageResult> RunAsync(StageContext context, CancellationToken cancellationToken = default) =>
        new TrainStage(TimeProvider.System).RunAsync(context, cancellationToken);

    /// <summary>Runs as a whole, and once more: killed after some steps, and gone on with from the last saved position.</summary>
    public async Task<(StageResult Whole, StageResult Resumed)> RunTwiceAsync(ManifestRef data, JsonObject options, int killedAfter)
    {
        var whole = await RunAsync(Context(data, options));
        var cursor = new MemoryCursor();
        var interrupted = Context(data, options, cursor, new TrainingProgress { AfterStep = Interrupt });
        await Should.ThrowAsync<IOException>(() => RunAsync(interrupted));
        return (whole, await RunAsync(Context(data, options, cursor)));

        void Interrupt(int step)
        {
            if (step == killedAfter)
                throw new IOException("killed");
        }
    }

    public async Task<JsonObject> ReportAsync(StageResult result)
    {
        var reader = await CheckpointReader.OpenAsync(Store, result.Outputs[OutputNames.Report], default);
        return JsonNode.Parse(reader.ReadFile("report.json"))!.AsObject();
    }

    /// <summary>How many saved positions the store has anything of: the blobs of each end in bytes of its own.</summary>
    public async Task<int> PositionsAsync()
    {
        var endings = new HashSet<string>();
        var expected = Encoding.ASCII.GetBytes("espalier:");
        await foreach (var blob in Store.Blobs.ListAsync(default))
        {
            var ending = new byte[expected.Length + 2 * 32 + 1 + sizeof(long)];
            if (blob.SizeBytes < ending.Length)
                continue;
            try
            {
                Store.Blobs.ReadExactly(blob.Digest, blob.SizeBytes - ending.Length, ending);
            }
            catch (MissingBlobException)
            {
                continue; // deleted since it was listed
            }
            if (ending.AsSpan().StartsWith(expected))
                endings.Add(Convert.ToHexString(ending));
        }
        return endings.Count;
    }

    public void Dispose() => _folder.Delete(recursive: true);
}

/// <summary>Keeps what was reported of optimizer steps and lets a test act after each.</summary>
public sealed class TrainingProgress : IStageProgress
{
    public List<(string Phase, long Done, long Total)> Reports { get; } = [];

    public List<string> Lines { get; } = [];

    public Action<int>? AfterStep { get; init; }

    public void Report(string phase, long done, long total, string unit)
    {
        if (phase != "training")
            return;
        Reports.Add((phase, done, total));
        AfterStep?.Invoke(Reports.Count);
    }

    public void Metric(string name, double value)
    {
    }

    public void Log(string message) => Lines.Add(message);
}
