using System.Runtime.InteropServices;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.TestKit.Models;
using Espalier.Tokenizers;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Tests;

/// <summary>Routers of k-means through the stage: what is stored and said, how they go on, and that a run goes on to the same bits.</summary>
public sealed class KMeansRouterTests : IDisposable
{
    private const string KMeans = """{"tokens":512,"router":"k-means","balance":"none"}""";

    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData("""{"tokens":512,"router":"k-means","router-rate":0.1,"ema":0.9}""")]
    [InlineData("""{"tokens":512,"router":"k-means","master":"bf16","precision":"bf16"}""")]
    public async Task Run_KMeans_StoresRowsOfLengthOneAndSaysSo(string options)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var progress = new TrainingProgress();

        var result = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(options), null, progress));

        foreach (var output in result.Outputs.Keys.Where(output => output is "model" or "ema"))
        {
            (await ConfigAsync(result, output)).Router.ShouldBe(RouterKind.KMeans);
            foreach (var layer in (int[])[0, 1])
                (await RowsAsync(result, output, layer)).ShouldAllBe(row => Math.Abs(row.Sum(value => (double)value * value) - 1) < 0.01);
        }
        result.Notes.ShouldContain(note => note.Contains("Its routers are those of k-means") && note.Contains("Every loader runs them as learned ones"));
        result.Notes.ShouldNotContain(note => note.Contains("has no place for this model's") && !note.Contains("selection bias"));
        progress.Lines.ShouldContain(line => line.Contains("no fused kernels for router: k-means"));
        result.Metrics["router-similarity"].ShouldBeInRange(-1, 1);
        result.Metrics["router-alignment"].ShouldBeGreaterThan(0.5); // they lie along their tokens
    }

    [Theory]
    [InlineData(""" "router":"k-means","ema":0.9,"accumulate":2 """)]
    [InlineData(""" "router":"k-means","recompute":true,"optimizer":"muon","skip-spikes":1.01 """)]
    [InlineData(""" "router":"k-means","top-p":0.3,"balance":"none","stable":true,"decay":0.6,"master":"bf16" """)]
    [InlineData(""" "router":"k-means","sparsify":{"to":0.5} """)]
    public async Task Run_StoppedAndResumed_EndsInTheSameBits(string choice)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var options = TrainingBench.Options($$"""{"checkpoint-steps":3,"tokens":512,"batch":2,{{choice}}}""");

        var (whole, resumed) = await _bench.RunTwiceAsync(data, options, killedAfter: 5);

        resumed.Outputs.ShouldBe(whole.Outputs);
        resumed.Metrics.ShouldBe(whole.Metrics);
    }

    /// <summary>Left out, the option goes on as the model has it: rows are kept, and move little by little; learned ones move by gradients.</summary>
    [Fact]
    public async Task Run_ContinuedModel_GoesOnAsItIs()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var first = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(KMeans)));

        var further = await ContinueAsync("""{"tokens":64,"balance":"none","router-rate":0.001}""");
        var ended = await ContinueAsync("""{"tokens":256,"balance":"none","router":"learned"}""");
        var fixedRouters = await ContinueAsync("""{"tokens":64,"balance":"none","only":"experts"}""");

        (await ConfigAsync(further, "model")).Router.ShouldBe(RouterKind.KMeans);
        (await ConfigAsync(ended, "model")).Router.ShouldBe(RouterKind.Learned);
        ended.Notes.ShouldBeEmpty();
        var before = (await RowsAsync(first, "model", 1)).SelectMany(row => row).ToArray();
        var moved = await DistanceAsync(further);
        moved.ShouldBeInRange(1e-7, 0.005);
        (await DistanceAsync(fixedRouters)).ShouldBe(0);
        (await RowsAsync(ended, "model", 1)).ShouldContain(row => Math.Abs(row.Sum(value => value * value) - 1) > 1e-4f);

        async Task<double> DistanceAsync(StageResult result) =>
            (await RowsAsync(result, "model", 1)).SelectMany(row => row).Zip(before, (a, b) => (double)Math.Abs(a - b)).Max();

        Task<StageResult> ContinueAsync(string options) => TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options(options, model: null), null, null, new StepInput("first", "model", first.Outputs["model"])));
    }

    [Fact]
    public async Task Run_ModelWithRouterBias_IsRefused()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        using var writer = new CheckpointWriter(_bench.Store);
        await CheckpointSaver.AddAsync(writer, decoder, default);
        await TrainingBench.AddFilesAsync(writer, ByteLevelBpe.OfBytes().Files);
        using var bias = zeros(4);
        for (var layer = 0; layer < 2; layer++)
            await CheckpointSaver.AddTensorAsync(writer, TensorNames.RouterBias(layer), bias, ScalarType.Float32, default);
        var biased = await writer.CommitAsync(default);

        var error = await Should.ThrowAsync<UserInputException>(() => TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options(KMeans, model: null), null, null, new StepInput("biased", "model", biased))));

        error.Message.ShouldContain("this model's routers have a learned bias");
    }

    [Fact]
    public async Task Run_LearnedRouters_AreMeasuredToo()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var learned = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"tokens":256}""")));
        var dense = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"tokens":64}""", """{"family":"llama","layers":1,"hidden":32,"heads":4,"expert-size":24}""")));

        learned.Metrics["router-similarity"].ShouldBeInRange(-1, 1);
        learned.Metrics["router-alignment"].ShouldBeInRange(-1, 1);
        dense.Metrics.Keys.ShouldNotContain("router-similarity");
        (await ConfigAsync(learned, "model")).Router.ShouldBe(RouterKind.Learned);
    }

    private async Task<ModelConfig> ConfigAsync(StageResult result, string output) =>
        ModelConfig.Parse((await CheckpointReader.OpenAsync(_bench.Store, result.Outputs[output], default)).ReadFile("config.json"));

    private async Task<IReadOnlyList<float[]>> RowsAsync(StageResult result, string output, int layer)
    {
        var reader = await CheckpointReader.OpenAsync(_bench.Store, result.Outputs[output], default);
        return [.. MemoryMarshal.Cast<byte, float>(reader.ReadAll(TensorNames.Router(layer))).ToArray().Chunk(32)];
    }
}
