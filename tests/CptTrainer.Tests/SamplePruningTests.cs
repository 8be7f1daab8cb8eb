using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.Pipelines.Options;
using Espalier.Stages;
using Espalier.TestKit.Models;

namespace Espalier.CptTrainer.Tests;

/// <summary>Pruning of samples by the loss of the model that training continues from.</summary>
public sealed class SamplePruningTests : IDisposable
{
    private const string Asked = """ "prune-samples":{"groups":4,"scale":0.5,"rounds":4,"delta":1} """;
    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    /// <summary>Text that the model knows is easier for it than noise: they fall into different groups, and windows pass over some.</summary>
    [Fact]
    public async Task Run_TextOfTwoKinds_GroupsItByLossAndSaysWhatWasRead()
    {
        var data = await AddDatasetAsync();

        var report = await _bench.ReportAsync(await RunAsync(data, $$"""{"tokens":512,{{Asked}}}"""));

        var use = report["pruned-samples"]!["words"]!;
        var groups = use["groups"]!.AsArray();
        groups.Sum(group => (long)group!["sequences"]!).ShouldBe((long)use["sequences"]!);
        groups.Sum(group => (long)group!["read"]!).ShouldBe((long)use["read"]!);
        var losses = groups.Select(group => (double)group!["loss"]!).ToList();
        losses.ShouldBeInOrder();
        (losses[^1] - losses[0]).ShouldBeGreaterThan(0.5);
        ((long)use["read"]!).ShouldBeLessThanOrEqualTo(32); // sequences of the run
    }

    [Fact]
    public async Task Run_StoppedAndResumed_EndsInTheSameBits()
    {
        var data = await AddDatasetAsync();
        var model = new StepInput("known", "model", await TrainedAsync(data));
        var options = TrainingBench.Options($$"""{"tokens":512,"checkpoint-steps":3,{{Asked}}}""", model: null);
        var whole = await TrainingBench.RunAsync(_bench.Context(data, options, null, null, model));
        var cursor = new MemoryCursor();
        var progress = new TrainingProgress { AfterStep = step => _ = step == 5 ? throw new IOException("killed") : 0 };
        await Should.ThrowAsync<IOException>(() => TrainingBench.RunAsync(_bench.Context(data, options, cursor, progress, model)));

        var resumed = await TrainingBench.RunAsync(_bench.Context(data, options, cursor, null, model));

        resumed.Outputs.ShouldBe(whole.Outputs);
        resumed.Metrics.ShouldBe(whole.Metrics);
    }

    [Theory]
    [InlineData("""{"prune-samples":{},"model":{"family":"olmoe"}}""", "a new model has not learnt anything")]
    [InlineData("""{"prune-samples":{},"skip":100}""", "'skip' goes on with one that another model began")]
    [InlineData("""{"prune-samples":{},"workers":2}""", "'prune-samples' is for one worker")]
    [InlineData("""{"prune-samples":{"rounds":1}}""", "rounds' must be")]
    [InlineData("""{"prune-samples":{"method":"random"}}""", "method' cannot be 'random'")]
    public void Options_ThatDoNotFit_AreRefused(string more, string expected)
    {
        var options = JsonNode.Parse("""{"data":"corpus:tiny","tokens":"1k"}""")!.AsObject();
        foreach (var (key, value) in JsonNode.Parse(more)!.AsObject())
            options[key] = value?.DeepClone();

        Should.Throw<UserInputException>(
            () => OptionReader.Parse(OptionSchema.For(typeof(TrainOptions)), options.ToJsonString(), "options", typeof(TrainOptions)))
            .Message.ShouldContain(expected);
    }

    private async Task<StageResult> RunAsync(ManifestRef data, string options) => await TrainingBench.RunAsync(_bench.Context(
        data, TrainingBench.Options(options, model: null), null, null, new StepInput("known", "model", await TrainedAsync(data))));

    // A model that has learnt the repetitive half.
    private async Task<ManifestRef> TrainedAsync(ManifestRef data) =>
        (await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"tokens":4800}""")))).Outputs["model"];

    private Task<ManifestRef> AddDatasetAsync() => _bench.AddDatasetAsync(
    [
        .. Enumerable.Range(0, 40).Select(i => string.Concat(Enumerable.Repeat($"abc{i % 3} ", 12))),
        .. Enumerable.Range(0, 20).Select(i => string.Concat(Enumerable.Range(0, 60).Select(at => (char)('!' + (i * 60 + at) * 48_271L % 65_537 * 31 % 90)))),
    ]);
}
