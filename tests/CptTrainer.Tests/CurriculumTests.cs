using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.CptTrainer.Training;
using Espalier.Datasets;
using Espalier.Pipelines.Options;
using Espalier.Tokenizers;
using TorchSharp;

namespace Espalier.CptTrainer.Tests;

/// <summary>Mixtures that change over a run: the order is one of the data, not of who reads it, and is said in the report.</summary>
public sealed class CurriculumTests : IDisposable
{
    private const string Stages = """
        "curriculum":[{"until":0.5,"mixture":{"web":1}},{"until":0.75,"mixture":{"web":1,"code":1}},{"mixture":{"code":3,"web":1}}]
        """;

    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task RunAsync_Stages_AreInTheReport()
    {
        var data = await AddDatasetAsync();

        var report = await _bench.ReportAsync(await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{"tokens":1024,{{Stages}}}"""))));

        var drawn = report["curriculum"]!.AsArray();
        drawn.Select(stage => (long?)stage!["until"]).ShouldBe([512, 768, null]);
        drawn.Select(stage => (double?)stage!["mixture"]!["code"]).ShouldBe([null, 0.5, 0.75]);
        ((double)report["mixture"]!["code"]!).ShouldBeInRange((0.5 + 0.75) / 4 - 0.1, (0.5 + 0.75) / 4 + 0.1); // of 64 sequences in part of a cycle
    }

    [Fact]
    public async Task RunAsync_OneMixture_HasNoCurriculumInTheReport()
    {
        var context = _bench.Context(await AddDatasetAsync(), TrainingBench.Options("""{"tokens":64}"""));

        var report = await _bench.ReportAsync(await TrainingBench.RunAsync(context));

        report.ContainsKey("curriculum").ShouldBeFalse();
    }

    [Fact]
    public async Task Run_StoppedAndResumed_EndsInTheSameBits()
    {
        var options = TrainingBench.Options($$"""{"checkpoint-steps":3,"tokens":512,{{Stages}}}"""); // 8 steps; the second stage begins with the fifth

        var (whole, resumed) = await _bench.RunTwiceAsync(await AddDatasetAsync(), options, killedAfter: 5);

        resumed.Outputs.ShouldBe(whole.Outputs);
        resumed.Metrics.ShouldBe(whole.Metrics);
    }

    /// <summary>Whoever reads them: one worker, three that take turns, or a run that goes on from where another ended.</summary>
    [Fact]
    public async Task Step_SeveralWorkersOrPartsOfARun_AreTheSameSequencesInTheSameOrder()
    {
        var data = await AddDatasetAsync();
        using var one = await OpenAsync(data, $$"""{"tokens":1536,"batch":2,{{Stages}}}""");
        using var three = await OpenAsync(data, $$"""{"tokens":1536,"batch":2,"workers":3,{{Stages}}}""");
        using var rest = await OpenAsync(data, $$"""{"tokens":1024,"skip":512,"batch":4,"accumulate":2,{{Stages}}}""");

        var expected = Enumerable.Range(0, 48).SelectMany(step => Ids(one, step)).ToList();
        var shared = new List<long>();
        for (var step = 0; step < 16; step++)
        {
            for (three.Member = 0; three.Member < 3; three.Member++)
                shared.AddRange(Ids(three, step));
        }

        shared.ShouldBe(expected);
        Enumerable.Range(0, 8).SelectMany(step => Ids(rest, step)).ShouldBe(expected.Skip(32 * 17));
        one.Epochs(48).ShouldBe(three.Epochs(16));
    }

    [Theory]
    [InlineData("""[{"mixture":{"a":1}}]""", "'curriculum' has one stage: write the weights of one mixture in 'mixture'")]
    [InlineData("[]", "'curriculum' has no stage")]
    [InlineData("""[{"mixture":{"a":1}},{"mixture":{"b":1}}]""", "stage 1 of 2 in 'curriculum' has no 'until'")]
    [InlineData("""[{"until":0.5,"mixture":{"a":1}},{"until":0.8,"mixture":{"b":1}}]""", "is the last and goes on to the end of the run")]
    [InlineData("""[{"until":0.6,"mixture":{"a":1}},{"until":0.6,"mixture":{"b":1}},{"mixture":{"a":1}}]""", "ends at 0.6, and the one before it at 0.6")]
    [InlineData("""[{"until":0,"mixture":{"a":1}},{"mixture":{"b":1}}]""", "ends at 0, and the one before it at 0")]
    [InlineData("""[{"until":1,"mixture":{"a":1}},{"mixture":{"b":1}}]""", "ends with the run")]
    [InlineData("""[{"until":1.5,"mixture":{"a":1}},{"mixture":{"b":1}}]""", "until' must be")]
    [InlineData("""[{"until":0.5,"mixture":{"a":0}},{"mixture":{"b":1}}]""", "draws from nothing")]
    [InlineData("""[{"until":0.5},{"mixture":{"b":1}}]""", "mixture' is missing")]
    public void Options_BadStages_AreRefused(string stages, string expected) =>
        Refusal($$"""{"data":"corpus:tiny","tokens":"1k","curriculum":{{stages}}}""").ShouldContain(expected);

    [Fact]
    public void Options_SeveralProblems_AreAllSaidAtTheirPlaces()
    {
        var refusal = Refusal("""
            {"data":"corpus:tiny","tokens":"1k","mixture":{"a":1},"curriculum":[
              {"mixture":{"a":0}},
              {"until":0.5,"mixture":{"b":1}}]}
            """);

        refusal.ShouldContain("leave one of them out");
        refusal.ShouldContain("stage 1 of 2 in 'curriculum' has no 'until'");
        refusal.ShouldContain("stage 1 of 2 in 'curriculum' draws from nothing");
        refusal.ShouldContain("stage 2 of 2 in 'curriculum' is the last");
        refusal.ShouldContain("3:"); // the line
    }

    [Fact]
    public async Task RunAsync_UnknownDomain_IsRefusedWithItsStage()
    {
        var options = TrainingBench.Options("""{"curriculum":[{"until":0.5,"mixture":{"web":1}},{"mixture":{"cod":1}}]}""");
        var context = _bench.Context(await AddDatasetAsync(), options);

        (await Should.ThrowAsync<UserInputException>(() => TrainingBench.RunAsync(context)))
            .Message.ShouldBe("Stage 2 of 'curriculum': The mixing weights name the domain 'cod', which the dataset does not have: did you mean 'code'?");
    }

    private static string Refusal(string options) => Should.Throw<UserInputException>(
        () => OptionReader.Parse(OptionSchema.For(typeof(TrainOptions)), options, "options", typeof(TrainOptions))).Message;

    private static long[] Ids(TrainingData data, long step)
    {
        using var scope = torch.NewDisposeScope();
        return [.. data.Step(step).SelectMany(batch => batch.data<long>().ToArray())];
    }

    private async Task<TrainingData> OpenAsync(ManifestRef data, string options)
    {
        var context = _bench.Context(data, TrainingBench.Options(options));
        return await TrainingData.OpenAsync(
            context, context.ReadOptions<TrainOptions>(), await TextDataset.OpenAsync(_bench.Store, data, default), ByteLevelBpe.OfBytes(), torch.CPU, default);
    }

    private Task<ManifestRef> AddDatasetAsync() => _bench.AddPartsAsync(
        "file",
        ("train/code", [.. Enumerable.Range(0, 30).Select(i => $"let x{i} = {i * 7} in print x{i};")]),
        ("train/web", [.. Enumerable.Range(0, 60).Select(i => $"Page {i} says that {i * 13} words are enough.")]));
}
