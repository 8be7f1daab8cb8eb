using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Datasets;
using Espalier.Evaluator.Passes;
using Espalier.Modeling;
using Espalier.Modeling.Runtime;
using Espalier.Modeling.WeightFormats;
using Espalier.Stages;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Tests.Passes;

/// <summary>Evaluation a layer at a time: what it finds is, to the last bit, what whole models in memory give.</summary>
public sealed class LayeredPassTests : IDisposable
{
    private const string AllTasks = """
        {"tasks":["validation-loss","routing","agreement","multiple-choice","logits"],"tokens":[[1,5,9],[7,7,7]],
         "length":32,"batch":2,"resamples":100,"xz":false}
        """;

    private static readonly ModelConfig Tiny = ModelConfig.Tiny();
    private static readonly MemoryLimits Whole = new() { FreeBytes = () => 0 };
    private static readonly MemoryLimits Layered = new() { FreeBytes = () => 1 };
    private readonly StageBench _bench = new();

    public void Dispose() => _bench.Dispose();

    public static TheoryData<string, ModelConfig, string> Models => new()
    {
        { "plain", Tiny, "fp32" },
        { "bf16 weights", Tiny with { WeightType = "bfloat16" }, "fp32" },
        { "bf16 arithmetic", Tiny with { WeightType = "bfloat16" }, "bf16" },
        { "one tensor for both ends", Tiny with { TieEmbeddings = true }, "fp32" },
        { "a dense layer", Tiny with { DenseLayers = [0], DenseSize = 48 }, "fp32" },
        { "packed", Tiny with { ExpertSize = 32, Quantization = new WeightQuantization(4, 16, Symmetric: true) }, "fp32" },
        { "float8", Tiny with { Quantization = new WeightQuantization(8, -1, Symmetric: true) { Format = FloatQuantized.FormatName } }, "fp32" },
        { "int8", Tiny with { Quantization = new WeightQuantization(8, -1, Symmetric: true) { Format = IntQuantized.FormatName } }, "fp32" },
    };

    [Theory]
    [MemberData(nameof(Models))]
    public async Task Run_EveryTask_GivesTheBitsOfTheWholeModel(string name, ModelConfig config, string precision)
    {
        var (a, b) = (await ModelAsync(config, 1), await ModelAsync(config, 2));
        var options = AllTasks.Replace("\"xz\"", $"\"precision\":\"{precision}\",\"xz\"", StringComparison.Ordinal);

        var whole = await RunAsync(Whole, options, ("a", a), ("b", b));
        var layered = await RunAsync(Layered, options, ("a", a), ("b", b));
        var batchByBatch = await RunAsync(Layered with { StreamBytes = 1 }, options, ("a", a), ("b", b));

        whole.Metrics["b.kl-divergence"].ShouldBeGreaterThan(0, name);
        layered.Outputs.ShouldBe(whole.Outputs);
        batchByBatch.Outputs.ShouldBe(whole.Outputs);
    }

    [Fact]
    public async Task Run_KilledBehindAnyLayer_GoesOnFromThereToTheSameReport()
    {
        (string, ManifestRef)[] models = [("a", await ModelAsync(Tiny, 1)), ("b", await ModelAsync(Tiny, 2))];
        const string Options = """{"tasks":["validation-loss","routing","agreement"],"length":32,"batch":4,"resamples":100,"xz":false}""";
        var limits = Layered with { StreamBytes = 40_000 }; // a few batches at a time
        var saves = _bench.Cursor.Saves;
        var expected = await RunAsync(limits, Options, models);
        var all = _bench.Cursor.Saves - saves;

        all.ShouldBeGreaterThan(12);
        foreach (var at in new[] { 2, 5, all - 3 })
        {
            _bench.Cursor.Clear();
            saves = _bench.Cursor.Saves;
            _bench.Cursor.StopAfter = saves + at;
            await Should.ThrowAsync<KilledException>(() => RunAsync(limits, Options, keepCursor: true, models));

            var resumed = await RunAsync(limits, Options, keepCursor: true, models);

            resumed.Outputs.ShouldBe(expected.Outputs);
            (_bench.Cursor.Saves - saves).ShouldBe(all, $"killed at save {at}: no layer is run again");
        }
    }

    [Fact]
    public async Task Run_PositionThatIsGone_BeginsThePassAgain()
    {
        (string, ManifestRef)[] models = [("a", await ModelAsync(Tiny, 1)), ("b", await ModelAsync(Tiny, 2))];
        var expected = await RunAsync(Layered, AllTasks, models);
        _bench.Cursor.Clear();
        _bench.Cursor.StopAfter = _bench.Cursor.Saves + 2;
        await Should.ThrowAsync<KilledException>(() => RunAsync(Layered, AllTasks, keepCursor: true, models));
        var saved = System.Text.Encoding.UTF8.GetString(_bench.Cursor.Position!);
        _bench.Cursor.Position = System.Text.Encoding.UTF8.GetBytes(
            System.Text.RegularExpressions.Regex.Replace(saved, "[0-9a-f]{64}", new string('0', 64)));

        var result = await RunAsync(Layered, AllTasks, keepCursor: true, models);

        result.Outputs.ShouldBe(expected.Outputs);
    }

    [Fact]
    public async Task Run_ToItsEnd_LeavesNoPositionInTheStoreAndNoTensorAlive()
    {
        (string, ManifestRef)[] models = [("a", await ModelAsync(Tiny, 1)), ("b", await ModelAsync(Tiny, 2))];
        await RunAsync(Whole, AllTasks, models);
        var (blobs, tensors) = (await BlobsAsync(), TorchRuntime.LiveTensorCount);

        await RunAsync(Layered, AllTasks, models);

        (await BlobsAsync()).ShouldBe(blobs);
        TorchRuntime.LiveTensorCount.ShouldBe(tensors);
    }

    [Fact]
    public async Task Run_DamagedLayer_NamesModelAndTensor()
    {
        var model = await _bench.ModelAsync(Tiny, edit: (name, value) =>
        {
            if (name == TensorNames.Router(1))
                value.view(-1).narrow(0, 3, 1).fill_(double.NaN);
        });

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync(Layered, """{"tasks":["validation-loss"]}""", ("grown", model)));

        error.Message.ShouldContain("model of 'grown'");
        error.Message.ShouldContain(TensorNames.Router(1));
    }

    [Fact]
    public async Task Run_AfterAnAttemptWithoutMemory_SavesItWhateverIsFree()
    {
        var model = await ModelAsync(Tiny, 1);
        var seen = new RecordedProgress();
        var inputs = await InputsAsync([("model", model)]);
        var context = _bench.Context("""{"tasks":["validation-loss"],"length":32,"xz":false}""", inputs);

        await new EvaluateStage(Whole).RunAsync(
            new StageContext
            {
                Step = context.Step, Options = context.Options, Inputs = context.Inputs, Artifacts = context.Artifacts, Cursor = context.Cursor,
                Cache = context.Cache, Progress = seen, MemoryDivisor = 2,
            }, default);

        seen.Lines.ShouldContain(line => line.StartsWith("model: runs a layer at a time.", StringComparison.Ordinal));
        seen.Phases.ShouldBe(["model: held-out text: layer 1 of 2", "model: held-out text: layer 2 of 2", "model: held-out text: head"]);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(1 << 16, false)]
    [InlineData(1L << 40, true)]
    public void Placement_ByFreeMemory_IsWholeOrLayered(long free, bool isWhole)
    {
        var placement = new ModelPlacement(new EvaluateOptions { Batch = 1 }, Length: 16, AtOnce: 1, free);

        placement.IsWhole(Tiny).ShouldBe(isWhole);
        placement.Bytes(Tiny).ShouldBe(isWhole ? placement.WholeBytes(Tiny) : placement.LayeredBytes(Tiny));
    }

    [Theory]
    [InlineData(0, 0, 0)]
    [InlineData(10, 0, 10)]
    [InlineData(0, 7, 7)]
    [InlineData(10, 7, 7)]
    [InlineData(5, 7, 5)]
    public void UsableBytes_OfMachineAndWorker_IsTheLessOfWhatIsKnown(long free, long ofWorker, long expected) =>
        new MemoryLimits { FreeBytes = () => free }.UsableBytes(ofWorker).ShouldBe(expected);

    private async Task<List<Digest>> BlobsAsync()
    {
        var blobs = new List<Digest>();
        await foreach (var blob in ((FileBlobStore)_bench.Store.Blobs).ListAsync(default))
            blobs.Add(blob.Digest);
        return [.. blobs.OrderBy(b => b.Hex, StringComparer.Ordinal)];
    }

    // Large weights have opinions; matrices of a packed model are stored as codes.
    private async Task<ManifestRef> ModelAsync(ModelConfig config, long seed)
    {
        if (config.Quantization is not { } quantization)
            return await _bench.ModelAsync(config, seed, Sharpen);
        using var writer = new CheckpointWriter(_bench.Store);
        foreach (var (name, dtype, shape, bytes) in Packed(config, quantization, seed))
            await writer.AddTensorAsync(name, dtype, shape, bytes, default);
        await writer.AddFileAsync("config.json", config.ToJson(), default);
        foreach (var (path, bytes) in ByteFiles.For(config))
            await writer.AddFileAsync(path, bytes, default);
        return await writer.CommitAsync(default);
    }

    private static List<(string, string, long[], byte[])> Packed(ModelConfig config, WeightQuantization quantization, long seed)
    {
        using var scope = NewDisposeScope();
        using var decoder = MoeDecoder.Create(config, seed);
        var (format, stored) = (WeightFormat.Of(quantization.Format), new List<(string, string, long[], byte[])>());
        foreach (var (name, value) in decoder.ExportWeights())
        {
            Sharpen(name, value);
            if (!name.EndsWith("_proj.weight", StringComparison.Ordinal))
            {
                stored.Add(Entry(name, value));
                continue;
            }
            var (rows, columns) = (value.shape[0], value.shape[1]);
            var scales = full([rows, quantization.GroupSize < 0 ? 1 : columns / quantization.GroupSize], 0.1f, dtype: float32);
            var codes = (value / 0.1f).round().clamp(-8, 7);
            foreach (var (part, layout) in format.Pack(new CodedMatrix(codes, scales, null), quantization, float32)
                .Zip(format.Layout(name, rows, columns, quantization)))
                stored.Add(Entry(layout.Name, part, layout.StoredAs));
        }
        return stored;

        static (string, string, long[], byte[]) Entry(string name, Tensor value, string? dtype = null) =>
            (name, dtype ?? Surgery.Checkpoints.ElementTypes.NameOf(value.dtype), value.shape, value.contiguous().bytes.ToArray());
    }

    private static void Sharpen(string name, Tensor value)
    {
        if (!name.EndsWith("norm.weight", StringComparison.Ordinal))
            value.mul_(10);
    }

    private Task<StageResult> RunAsync(MemoryLimits limits, string options, params (string Step, ManifestRef Model)[] models) =>
        RunAsync(limits, options, keepCursor: false, models);

    private async Task<StageResult> RunAsync(MemoryLimits limits, string options, bool keepCursor, params (string Step, ManifestRef Model)[] models)
    {
        if (!keepCursor)
            _bench.Cursor.Clear();
        return await new EvaluateStage(limits).RunAsync(_bench.Context(options, await InputsAsync(models)), default);
    }

    private async Task<StepInput[]> InputsAsync((string Step, ManifestRef Model)[] models)
    {
        var data = await _bench.DatasetAsync(
            new Dictionary<string, IReadOnlyList<string>>
            {
                ["held-out/code"] = [.. Enumerable.Range(0, 5).Select(i => $"for (var i = {i}; i < {i * i}; i++) sum += values[i];")],
                ["held-out/prose"] = [.. Enumerable.Range(0, 5).Select(i => $"Document {i}: how far would you go? {new string((char)('a' + i), 3 * i)}.")],
            },
            new Dictionary<string, IReadOnlyList<MultipleChoiceItem>>
            {
                ["questions"] =
                [
                    .. Enumerable.Range(0, 3).Select(i => new MultipleChoiceItem($"q{i}", $"question {i} is", [" short", $" long {i * 31}"], i % 2)),
                ],
            });
        return [.. models.Select(m => new StepInput(m.Step, "model", m.Model)), new StepInput("data", "data", data)];
    }

    private sealed class RecordedProgress : IStageProgress
    {
        public List<string> Lines { get; } = [];

        public List<string> Phases { get; } = [];

        public void Report(string phase, long done, long total, string unit) => Phases.Add(phase);

        public void Metric(string name, double value)
        {
        }

        public void Log(string message) => Lines.Add(message);
    }
}
