using System.Runtime.InteropServices;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.TestKit.Models;

namespace Espalier.CptTrainer.Tests;

/// <summary>Pruning while a model is trained: what is zero at the end, what is said of it, and that a run goes on to the same bits.</summary>
public sealed class SparsifyTests : IDisposable
{
    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData("""{"sparsify":{"to":0.5},"ema":0.9}""", 0.5)]
    [InlineData("""{"sparsify":{"to":0.75,"granularity":"neuron","ramp":"linear"}}""", 0.75)]
    [InlineData("""{"sparsify":{"to":0.5,"weights":"matrices"},"optimizer":"muon"}""", 0.5)]
    [InlineData("""{"sparsify":{"to":0.25,"from-share":1,"until-share":1},"master":"bf16","precision":"bf16"}""", 0.25)]
    public async Task Run_Sparsify_EndsWithThatShareOfZerosInEachMatrix(string options, double share)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var result = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(options)));

        foreach (var output in result.Outputs.Keys.Where(output => output is "model" or "ema"))
        {
            var zeros = await ZerosAsync(result, output);
            zeros.Where(pair => pair.Key.Contains(".mlp.experts.")).ShouldAllBe(pair => Math.Abs(pair.Value - share) < 0.002);
            zeros.Where(pair => pair.Key.Contains("self_attn.q_proj")).ShouldAllBe(pair => pair.Value == (options.Contains("matrices") ? share : 0));
            zeros[TensorNames.Router(0)].ShouldBe(0);
        }
        result.Metrics["sparsity"].ShouldBe(share, 0.002);
        result.Notes.Count(note => note.Contains("are zero. Loaders store and multiply zeros")).ShouldBe(1);
        result.Notes.Count(note => note.Contains("They are whole neurons")).ShouldBe(options.Contains("neuron") ? 1 : 0);
    }

    [Fact]
    public async Task Run_Sparsify_ReportsTheAverageParameters()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var progress = new TrainingProgress();

        var result = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"sparsify":{"to":0.5,"ramp":"linear"}}"""), null, progress));
        var plain = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options()));

        // 16 steps: none pruned in 0 to 4, then an eighth more of a half in each of 5 to 12, and a half to the end.
        var shares = Enumerable.Range(0, 16).Select(step => 0.5 * Math.Clamp((step - 4) / 8.0, 0, 1)).ToList();
        var report = await _bench.ReportAsync(result);
        var expected = (double)report["total-parameters"]! - shares.Average() * 2 * 4 * 3 * 32 * 24;
        result.Metrics["average-parameters"].ShouldBe(expected, 1e-6);
        ((double)report["average-parameters"]!).ShouldBe(expected, 1e-6);
        report["choices"]!.AsArray().Select(choice => (string)choice!).ShouldContain(choice => choice.Contains("from optimizer step 4 to 12 of 16"));
        progress.Lines.ShouldContain(line => line.StartsWith("sparsify: "));
        plain.Metrics.Keys.ShouldNotContain("sparsity");
        (await _bench.ReportAsync(plain)).ContainsKey("average-parameters").ShouldBeFalse();
    }

    [Theory]
    [InlineData(5, """ "sparsify":{"to":0.5,"every":2},"ema":0.9 """)] // within the ramp: a position after step 3 or 6
    [InlineData(2, """ "sparsify":{"to":0.5,"granularity":"neuron"},"optimizer":"muon" """)] // before there is one
    [InlineData(7, """ "sparsify":{"to":0.9,"weights":"feed-forward","from-share":0,"until-share":0.5},"optimizer":"adamw-8bit","master":"bf16" """)]
    [InlineData(5, """ "sparsify":{"to":0.5},"stable":true,"decay":0.6,"skip-spikes":1.01 """)]
    public async Task Run_StoppedAndResumed_EndsInTheSameBits(int killedAfter, string choice)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var options = TrainingBench.Options($$"""{"checkpoint-steps":3,"tokens":576,{{choice}}}"""); // 9 steps

        var (whole, resumed) = await _bench.RunTwiceAsync(data, options, killedAfter);

        resumed.Outputs.ShouldBe(whole.Outputs);
        resumed.Metrics.ShouldBe(whole.Metrics);
    }

    /// <summary>Trained on with the same share from the first step, zeros stay where they are; without, they grow.</summary>
    [Fact]
    public async Task Run_SparseModelTrainedOn_KeepsItsZerosWhereThatIsAsked()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var sparse = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"sparsify":{"to":0.5}}""")));

        var kept = await ContinueAsync("""{"tokens":256,"sparsify":{"to":0.5,"from-share":0,"until-share":0}}""");
        var grown = await ContinueAsync("""{"tokens":256}""");

        var name = TensorNames.Expert(1, 2, "up");
        var before = await PlacesAsync(sparse, name);
        (await PlacesAsync(kept, name)).ShouldBe(before);
        (await PlacesAsync(grown, name)).Length.ShouldBeLessThan(before.Length / 2);

        Task<StageResult> ContinueAsync(string options) => TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options(options, model: null), null, null, new StepInput("sparse", "model", sparse.Outputs["model"])));
    }

    [Fact]
    public async Task Run_SparsifyDenseModel_PrunesItsFeedForwards()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        const string Dense = """{"family":"llama","layers":1,"hidden":32,"heads":4,"expert-size":24}""";

        var result = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"sparsify":{"to":0.5}}""", Dense)));

        (await ZerosAsync(result, "model"))[TensorNames.DenseMlp(0, "up")].ShouldBe(0.5);
    }

    private async Task<Dictionary<string, double>> ZerosAsync(StageResult result, string output)
    {
        var reader = await CheckpointReader.OpenAsync(_bench.Store, result.Outputs[output], default);
        return reader.Names.ToDictionary(name => name, name => Values(reader, name).Average(value => value == 0 ? 1.0 : 0));
    }

    private async Task<int[]> PlacesAsync(StageResult result, string name)
    {
        var values = Values(await CheckpointReader.OpenAsync(_bench.Store, result.Outputs["model"], default), name);
        return [.. Enumerable.Range(0, values.Length).Where(i => values[i] == 0)];
    }

    private static float[] Values(CheckpointReader reader, string name) => MemoryMarshal.Cast<byte, float>(reader.ReadAll(name)).ToArray();
}
