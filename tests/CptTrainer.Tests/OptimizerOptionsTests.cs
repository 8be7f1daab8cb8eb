using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.TestKit.Models;

namespace Espalier.CptTrainer.Tests;

/// <summary>Every choice of optimizer, master weights and groups through the stage: what is saved, resumed, continued, refused.</summary>
public sealed class OptimizerOptionsTests : IDisposable
{
    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData(""" "tokens":512,"optimizer":"adamw-8bit" """)]
    [InlineData(""" "tokens":512,"optimizer":"muon","ema":0.9 """)]
    [InlineData(""" "tokens":512,"optimizer":"adamw-8bit","master":"bf16","ema":0.9 """)]
    [InlineData(""" "skip-spikes":1.01,"learning-rate":1e-5,"rates":{"routers":0.5,"dense":2},"tokens":1280 """)]
    public async Task Run_StoppedAndResumed_EndsInTheSameBits(string choice)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var options = TrainingBench.Options($$"""{"checkpoint-steps":3,{{choice}}}"""); // 8 steps of 64 tokens, or 20

        var (whole, resumed) = await _bench.RunTwiceAsync(data, options, killedAfter: choice.Contains("1280", StringComparison.Ordinal) ? 19 : 5);

        resumed.Outputs.ShouldBe(whole.Outputs);
        resumed.Metrics.ShouldBe(whole.Metrics);
        whole.Outputs.ContainsKey("ema").ShouldBe(choice.Contains("ema", StringComparison.Ordinal));
        (whole.Metrics["skipped-steps"] > 0).ShouldBe(choice.Contains("spikes", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("adamw-8bit")]
    [InlineData("muon")]
    public async Task Run_InTwoParts_IsOneRun(string optimizer)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var common = $$""" "schedule":"constant","warmup":0,"balance":"none","optimizer":"{{optimizer}}" """;
        var whole = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{"tokens":512,{{common}}}""")));

        var half = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{"tokens":256,{{common}}}""")));
        var rest = await ContinueAsync(data, half, $$"""{"tokens":256,"skip":256,{{common}}}""");

        (await WeightsAsync(rest)).ShouldBe(await WeightsAsync(whole));
    }

    /// <summary>Several decays may follow one constant run; each is what a run with that decay would have been.</summary>
    [Fact]
    public async Task Run_DecayOfAnotherRun_IsTheRunWithThatDecay()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var whole = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"tokens":640,"schedule":"wsd","decay":0.4,"warmup":2,"balance":"none"}""")));

        var stable = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"tokens":384,"schedule":"constant","warmup":2,"balance":"none"}""")));
        var branch = await ContinueAsync(data, stable, """{"tokens":256,"skip":384,"schedule":"linear","warmup":0,"balance":"none"}""");

        (await WeightsAsync(branch)).ShouldBe(await WeightsAsync(whole));
    }

    [Fact]
    public async Task Run_ContinuedWithAnotherOptimizer_IsRefused()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var first = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"tokens":128,"optimizer":"muon"}""")));

        var error = await Should.ThrowAsync<UserInputException>(() => ContinueAsync(data, first, """{"tokens":128,"optimizer":"adamw-8bit"}"""));

        error.Message.ShouldContain("it is of 'optimizer: muon', and this step has 'optimizer: adamw-8bit'");
    }

    [Theory]
    [InlineData("\"new-experts\"")]
    [InlineData("""["routers","norms"]""")]
    public async Task Run_OnlyGroups_LeavesTheRestAsItWas(string groups)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny() with { SiblingGroups = [[0, 1, 0, 1], [0, 0, 1, 1]] }, 1);
        var grown = await _bench.AddModelAsync(decoder);

        var options = TrainingBench.Options($$"""{"only":{{groups}},"tokens":256,"balance":"none"}""", model: null);
        var result = await TrainingBench.RunAsync(_bench.Context(data, options, null, null, new StepInput("grown", "model", grown)));

        var before = await CheckpointReader.OpenAsync(_bench.Store, grown, default);
        var after = await CheckpointReader.OpenAsync(_bench.Store, result.Outputs["model"], default);
        var changed = after.Names.Where(name => !after.ReadAll(name).SequenceEqual(before.ReadAll(name))).ToList();
        changed.ShouldNotBeEmpty();
        changed.Where(name => !IsNamed(name)).ShouldBeEmpty();

        bool IsNamed(string name) => groups.Contains("new-experts")
            ? new[] { ".0.mlp.experts.2.", ".0.mlp.experts.3.", ".1.mlp.experts.1.", ".1.mlp.experts.3." }.Any(name.Contains)
            : name.Contains(".mlp.gate.") || name.EndsWith("norm.weight");
    }

    [Fact]
    public async Task Run_AutoNumbers_AreInTheReport()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var progress = new TrainingProgress();

        var result = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"tokens":2000,"learning-rate":"auto","batch":"auto"}"""), null, progress));

        var report = await _bench.ReportAsync(result);
        report["learning-rate"]!.GetValue<double>().ShouldBeInRange(0.001, 0.05);
        report["choices"]!.AsArray().Select(choice => (string)choice!).ShouldBe(progress.Lines.Where(line => line.Contains("Step Law")));
        report["choices"]!.AsArray().Count.ShouldBe(2);
    }

    [Theory]
    [InlineData("""{"only":["new-experts"]}""", "only: 'new-experts' names nothing")]
    [InlineData("""{"rates":{"new-experts":2}}""", "rates: 'new-experts' names nothing")]
    [InlineData("""{"only":"routers","model":{"family":"llama","layers":1,"hidden":32,"heads":4,"expert-size":48}}""", "only: 'routers' names nothing")]
    [InlineData("""{"skip-spikes":0.5}""", "skip-spikes")]
    public async Task Run_GroupsAndLimitsThatMeanNothing_AreRefused(string options, string expected)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var error = await Should.ThrowAsync<UserInputException>(() => TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(options))));

        error.Message.ShouldContain(expected);
    }

    private Task<StageResult> ContinueAsync(ManifestRef data, StageResult from, string options)
    {
        var read = TrainingBench.Options(options, model: null);
        read["optimizer-state"] = "continue";
        return TrainingBench.RunAsync(_bench.Context(
            data, read, null, null, [.. from.Outputs.Where(o => o.Key is "model" or "trainer-state").Select(o => new StepInput("base", o.Key, o.Value))]));
    }

    private async Task<IEnumerable<Digest>> WeightsAsync(StageResult result) =>
        (await _bench.Store.ReadAsync(result.Outputs["model"].Root, default)).Tensors.Select(t => t.Blob);
}
