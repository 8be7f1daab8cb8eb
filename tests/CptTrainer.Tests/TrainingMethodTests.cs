using System.Security.Cryptography;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.TestKit.Models;

namespace Espalier.CptTrainer.Tests;

/// <summary>Ways to train a mixture through the stage: what is said of them, and that a run goes on from its position to the same bits.</summary>
public sealed class TrainingMethodTests : IDisposable
{
    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData("batch", 1, null)]
    [InlineData("sequence", 1, "no fused kernels for balance-scope: sequence")]
    [InlineData("global", 2, "forward once more")]
    public async Task Run_BalanceScope_IsLoggedAndInTheReport(string scope, int accumulate, string? note)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var progress = new TrainingProgress();

        var result = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options($$"""{"balance":"loss","balance-scope":"{{scope}}","accumulate":{{accumulate}},"tokens":256}"""), null, progress));

        var choices = (await _bench.ReportAsync(result))["choices"]!.AsArray().Select(choice => (string)choice!).ToList();
        choices.Count(choice => note is not null && choice.Contains(note)).ShouldBe(note is null ? 0 : 1);
        progress.Lines.Count(choices.Contains).ShouldBe(choices.Count);
    }

    [Theory]
    [InlineData(""" "balance":"loss","balance-scope":"sequence" """)]
    [InlineData(""" "balance":"loss","balance-scope":"global","accumulate":2 """)]
    [InlineData(""" "dropout":0.2,"expert-dropout":0.1,"accumulate":2 """)]
    [InlineData(""" "capacity":0.9,"recompute":true """)]
    [InlineData(""" "elastic":{"least":1,"most":4} """)]
    [InlineData(""" "top-p":0.3,"ema":0.9 """)]
    [InlineData(""" "document-mask":true,"accumulate":2 """)]
    [InlineData(""" "stable":true,"decay":0.7,"accumulate":2 """)] // the decay begins at step 3 of 8
    [InlineData(""" "stable":true,"decay":0.2,"selection-bias":"fold" """)] // and after the interruption
    public async Task Run_StoppedAndResumed_EndsInTheSameBits(string choice)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var options = TrainingBench.Options($$"""{"checkpoint-steps":3,"tokens":512,"batch":2,{{choice}}}"""); // 8 steps of 64 tokens, or 16 of 32

        var (whole, resumed) = await _bench.RunTwiceAsync(data, options, killedAfter: 5);

        resumed.Outputs.ShouldBe(whole.Outputs);
        resumed.Metrics.ShouldBe(whole.Metrics);
    }

    /// <summary>The copy is what a run without a decay would have ended with, selection biases included.</summary>
    [Theory]
    [InlineData("loss-free", "keep")]
    [InlineData("loss-free", "fold")]
    [InlineData("none", "keep")]
    public async Task Run_Stable_IsTheRunThatEndedBeforeTheDecay(string balance, string bias)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var common = $$""" "warmup":2,"balance":"{{balance}}","balance-rate":0.05 """;
        var whole = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(
            $$"""{"tokens":640,"schedule":"wsd","decay":0.4,"stable":true,"selection-bias":"{{bias}}",{{common}}}""")));
        var constant = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{"tokens":384,"schedule":"constant",{{common}}}""")));

        var (expected, stable) = (await WeightsAsync(constant, "model"), await WeightsAsync(whole, "stable"));

        stable.ShouldBe(expected);
        (await WeightsAsync(whole, "model")).ShouldNotBe(expected);
    }

    /// <summary>Dropout goes by the place in the order of the data, so a run in two parts drops what one run does.</summary>
    [Fact]
    public async Task Run_DropoutInTwoParts_IsOneRun()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        const string Common = """ "schedule":"constant","warmup":0,"balance":"none","dropout":0.2,"expert-dropout":0.2 """;
        var whole = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{"tokens":512,{{Common}}}""")));
        var half = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{"tokens":256,{{Common}}}""")));

        var rest = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options($$"""{"tokens":256,"skip":256,"optimizer-state":"continue",{{Common}}}""", model: null), null, null,
            new StepInput("half", "model", half.Outputs["model"]), new StepInput("half", "trainer-state", half.Outputs["trainer-state"])));

        (await WeightsAsync(rest, "model")).ShouldBe(await WeightsAsync(whole, "model"));
    }

    /// <summary>Only where a sequence holds a border: documents here have 60 tokens and an end, so that sequences of 16 hold one now and then.</summary>
    [Fact]
    public async Task Run_DocumentMask_TrainsAnotherModelWhereSequencesHoldBorders()
    {
        var packed = await _bench.AddRepetitiveDatasetAsync();
        var one = await _bench.AddDatasetAsync(string.Concat(Enumerable.Range(0, 2000).Select(i => $"word{i} ")));

        (await RunAsync(packed, "true")).ShouldNotBe(await RunAsync(packed, "false"));
        (await RunAsync(one, "true")).ShouldBe(await RunAsync(one, "false"));

        async Task<IReadOnlyDictionary<string, string>> RunAsync(ManifestRef data, string mask) => await WeightsAsync(
            await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{"document-mask":{{mask}},"tokens":256}"""))), "model");
    }

    [Fact]
    public async Task Run_Capacity_SaysWhatWasDropped()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var progress = new TrainingProgress();

        var limited = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"capacity":0.5,"tokens":256}"""), null, progress));
        var plain = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"tokens":256}""")));

        limited.Metrics["dropped"].ShouldBeInRange(0.5, 1); // half an even share at most
        plain.Metrics.Keys.ShouldNotContain("dropped");
        var history = (await _bench.ReportAsync(limited))["history"]!.AsArray();
        ((double)history[^1]!["dropped"]!).ShouldBe(limited.Metrics["dropped"]);
        progress.Lines.ShouldContain(line => line.Contains("no fused kernels for capacity"));
    }

    [Fact]
    public async Task Run_Elastic_DrawsNumbersAndKeepsTheModelsOwn()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var result = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"elastic":{"least":1,"most":3},"tokens":1024}""")));

        var config = await ConfigAsync(result);
        config.ExpertsPerToken.ShouldBe(2);
        config.Elastic.ShouldBe(new ElasticExperts(1, 3));
        result.Notes.ShouldContain(note => note.Contains("Trained with 1 to 3 experts per token") && note.Contains("num_experts_per_tok 2"));
        var drawn = (await _bench.ReportAsync(result))["history"]!.AsArray().Select(point => (double)point!["experts-per-token"]!).ToList();
        drawn.Distinct().Order().ShouldBe([1.0, 2, 3]);
    }

    [Fact]
    public async Task Run_TopP_IsPartOfTheModelUntilItIsEnded()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var limited = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"top-p":0.3,"tokens":512,"balance":"none"}""")));
        var further = await ContinueAsync("""{"tokens":128,"balance":"none"}""");
        var ended = await ContinueAsync("""{"tokens":128,"balance":"none","top-p":1}""");

        (await ConfigAsync(limited)).TopP.ShouldBe(0.3);
        limited.Notes.ShouldHaveSingleItem().ShouldContain("has no place for this model's top-p routing (0.3)");
        limited.Metrics["experts-per-token"].ShouldBeInRange(1, 2);
        (await ConfigAsync(further)).TopP.ShouldBe(0.3);
        (await ConfigAsync(ended)).TopP.ShouldBeNull();
        ended.Notes.ShouldBeEmpty();
        ended.Metrics["experts-per-token"].ShouldBe(2);

        Task<StageResult> ContinueAsync(string options) => TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options(options, model: null), null, null, new StepInput("limited", "model", limited.Outputs["model"])));
    }

    private async Task<ModelConfig> ConfigAsync(StageResult result) =>
        ModelConfig.Parse((await CheckpointReader.OpenAsync(_bench.Store, result.Outputs["model"], default)).ReadFile("config.json"));

    private async Task<IReadOnlyDictionary<string, string>> WeightsAsync(StageResult result, string output)
    {
        var reader = await CheckpointReader.OpenAsync(_bench.Store, result.Outputs[output], default);
        return reader.Names.ToDictionary(name => name, name => Convert.ToHexString(SHA256.HashData(reader.ReadAll(name))));
    }
}
