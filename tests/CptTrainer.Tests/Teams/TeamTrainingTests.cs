using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;

namespace Espalier.CptTrainer.Tests.Teams;

/// <summary>Training that several workers share.</summary>
public sealed class TeamTrainingTests : IDisposable
{
    private readonly TeamBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Run_OneWorker_IsThePlainTrainerBitForBit()
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        var plain = await TrainingBench.RunAsync(_bench.Training.Context(data, TrainingBench.Options()));

        var one = await TrainingBench.RunAsync(_bench.Training.Context(data, TrainingBench.Options("""{"workers":1}""")));

        one.Outputs[OutputNames.Model].ShouldBe(plain.Outputs[OutputNames.Model]);
        one.Outputs[OutputNames.TrainerState].ShouldBe(plain.Outputs[OutputNames.TrainerState]);
        (one.Metrics["synchronisations"], one.Metrics["synchronisation-bytes"]).ShouldBe((0, 0));
        plain.Metrics.Keys.ShouldNotContain("synchronisations");
    }

    [Theory]
    [InlineData(2, "loss-free")]
    [InlineData(3, "loss-free")]
    [InlineData(2, "loss")]
    public async Task Run_MembersSideBySide_MakeTheBitsOfOneThatDoesAllShares(int workers, string balance)
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        var options = TeamBench.Options(workers, $$"""{"tokens":3072,"accumulate":2,"balance":"{{balance}}"}""");
        var alone = await _bench.AloneAsync(data, options);

        var first = _bench.Member(data, options);
        var helpers = Enumerable.Range(2, workers - 1).Select(member => TeamBench.RunAsync(_bench.Member(data, options, member))).ToList();
        var together = await TeamBench.RunAsync(first);
        var helped = await Task.WhenAll(helpers);

        together.Outputs.ShouldBe(alone.Outputs);
        together.Metrics.ShouldBe(alone.Metrics);
        helped.ShouldAllBe(result => result.Outputs.Count == 0);
    }

    [Fact]
    public async Task Run_HelperThatComesFirst_DoesAllAndTheFirstPublishesIt()
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        var options = TeamBench.Options(2);
        var alone = await _bench.AloneAsync(data, options);

        await TeamBench.RunAsync(_bench.Member(data, options, 2));
        var progress = new TrainingProgress();
        var published = await TeamBench.RunAsync(_bench.Member(data, options, 1, progress));

        published.Outputs.ShouldBe(alone.Outputs);
        progress.Reports.ShouldBeEmpty("nothing was left to train");
    }

    /// <summary>Per token, members take fewer steps: at equal tokens the loss is higher, and by how much is known.</summary>
    [Theory]
    [InlineData(2, 0.6)]
    [InlineData(3, 1.2)]
    public async Task Run_EqualTokens_LosesLittle(int workers, double most)
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        const string Longer = """{"tokens":19200,"synchronise-steps":5}""";
        var one = await TrainingBench.RunAsync(_bench.Training.Context(data, TrainingBench.Options("""{"tokens":19200}""")));

        var several = await _bench.AloneAsync(data, TeamBench.Options(workers, Longer));

        double.IsFinite(several.Metrics["train-loss"]).ShouldBeTrue();
        several.Metrics["train-loss"].ShouldBeLessThan(one.Metrics["train-loss"] + most);
        several.Metrics["tokens"].ShouldBe(19200);
        (await _bench.Training.ReportAsync(several))["history"]!.AsArray()[^1]!["tokens"]!.GetValue<long>().ShouldBe(19200);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task Run_MemberKilledInTheMiddleOfARound_IsReplacedAndEndsInTheSameBits(int killed)
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        var options = TeamBench.Options(2, """{"tokens":2048}"""); // 16 steps each, 4 rounds
        var alone = await _bench.AloneAsync(data, options);

        var dying = new TrainingProgress { AfterStep = done => _ = done == 6 ? throw new IOException("killed") : done };
        await Should.ThrowAsync<IOException>(() => TeamBench.RunAsync(_bench.Member(data, options, killed, dying)));
        var other = killed == 1 ? 2 : 1;
        var rest = TeamBench.RunAsync(_bench.Member(data, options, other));
        var replaced = TeamBench.RunAsync(_bench.Member(data, options, killed));
        var results = await Task.WhenAll(rest, replaced);

        results.Single(result => result.Outputs.Count > 0).Outputs.ShouldBe(alone.Outputs);
    }

    [Fact]
    public async Task Run_KilledAfterAnExchange_GoesOnFromThere()
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        var options = TeamBench.Options(2, """{"tokens":2048}""");
        var dying = new TrainingProgress { AfterStep = done => _ = done == 10 ? throw new IOException("killed") : done };
        await Should.ThrowAsync<IOException>(() => TeamBench.RunAsync(_bench.Member(data, options, 1, dying)));

        var progress = new TrainingProgress();
        await TeamBench.RunAsync(_bench.Member(data, options, 1, progress));

        progress.Reports[0].Done.ShouldBe(9 * 128); // two rounds of 4 steps are done, 128 tokens each
        progress.Reports.Count.ShouldBe(8);
    }

    [Fact]
    public async Task Run_BytesOfAnExchange_AreTheDensePartOfEachAndAllExpertsOnce()
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        var progress = new MetricProgress();
        var first = _bench.Member(data, TeamBench.Options(2, """{"tokens":2048}"""), 1, progress);

        var result = await TeamBench.RunAsync(first);

        var model = await CheckpointReader.OpenAsync(_bench.Training.Store, result.Outputs[OutputNames.Model], default);
        var experts = model.Manifest.Tensors.Where(t => t.Name.Contains(".mlp.experts.", StringComparison.Ordinal)).Sum(t => t.SizeBytes);
        var dense = model.Manifest.Tensors.Sum(t => t.SizeBytes) - experts;
        experts.ShouldBe(2 * 4 * 3 * 32 * 24 * sizeof(float));
        result.Metrics["synchronisation-bytes"].ShouldBe(2 * dense + experts);
        result.Metrics["synchronisations"].ShouldBe(4);
        progress.Metrics["uploaded-bytes"].ShouldBe(dense + experts / 2);
    }

    [Fact]
    public async Task Run_ThatIsDone_LeavesNothingOfTheRounds()
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        var options = TeamBench.Options(2, """{"tokens":2048}""");
        var first = _bench.Member(data, options);
        await TeamBench.RunAsync(first);

        (await _bench.RecordsAsync(first)).Count(r => !r.Contains("member")).ShouldBe(3, "the cursor, and what two members made in the last round");
        (await _bench.Training.PositionsAsync()).ShouldBe(2);
        await _bench.EndAsync(first);

        (await _bench.RecordsAsync(first)).ShouldBeEmpty();
        (await _bench.Training.PositionsAsync()).ShouldBe(0);
    }

    [Fact]
    public async Task Run_HelperOfAStepThatIsDone_EndsAtOnce()
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        var options = TeamBench.Options(2);
        var first = _bench.Member(data, options);
        var result = await TeamBench.RunAsync(first);
        await _bench.Training.Store.CommitStepAsync(first.Step.Key, new() { Outputs = result.Outputs, Metrics = result.Metrics }, default);
        await _bench.EndAsync(first);

        var progress = new TrainingProgress();
        var helped = await TeamBench.RunAsync(_bench.Member(data, options, 2, progress));

        (helped.Outputs.Count, progress.Reports.Count).ShouldBe((0, 0));
        (await _bench.RecordsAsync(first)).ShouldBeEmpty();
    }

    [Fact]
    public async Task Run_RoundThatCannotBeRead_StartsAgainAndSaysSo()
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        var options = TeamBench.Options(2, """{"tokens":2048}""");
        var alone = await _bench.AloneAsync(data, options);
        var first = _bench.Member(data, options, 1, new TrainingProgress { AfterStep = done => _ = done == 10 ? throw new IOException("killed") : done });
        await Should.ThrowAsync<IOException>(() => TeamBench.RunAsync(first));
        var rounds = new StepRounds(_bench.Training.Store, first.Step.Key);
        var lost = await rounds.FindAsync(2, 2, default);
        var blobs = (Espalier.Artifacts.Blobs.ICollectableBlobStore)_bench.Training.Store.Blobs;
        await blobs.DeleteAsync(lost!.Root, DateTimeOffset.UtcNow.AddDays(1), default);

        var progress = new TrainingProgress();
        var result = await TeamBench.RunAsync(_bench.Member(data, options, 1, progress));

        progress.Lines.ShouldContain(line => line.Contains("starting again"));
        result.Outputs.ShouldBe(alone.Outputs);
    }

    [Fact]
    public async Task Run_FromAModelWithHeldOutText_MeasuresMergedModels()
    {
        var data = await _bench.Training.AddPartsAsync(
            "file", ("train/words", [.. Enumerable.Repeat("abc1 abc2 abc3 abc1 abc2 abc3 ", 40)]), ("held-out/words", ["abc1 abc2 abc3 abc1 abc2 abc3 "]));
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(), 5);
        var input = new StepInput("grown", OutputNames.Model, await _bench.Training.AddModelAsync(decoder));
        var options = TeamBench.Options(2, """{"tokens":2048,"validate":{"tokens":64}}""");
        options.Remove("model");

        var result = await _bench.AloneAsync(data, options, input);

        var measured = (await _bench.Training.ReportAsync(result))["held-out"]!.AsArray();
        measured.Select(point => point!["step"]!.GetValue<long>()).ShouldBe([0, 4, 8, 12, 16]);
        measured[^1]!["loss"]!.GetValue<double>().ShouldBeLessThan(measured[0]!["loss"]!.GetValue<double>());
        result.Metrics.Keys.ShouldContain("forgetting.words");
    }

    [Theory]
    [InlineData("""{"workers":5}""", "has 4 experts: say at most 4")]
    [InlineData("""{"model":{"family":"llama","layers":2,"hidden":32,"heads":4}}""", "no experts to share out")]
    [InlineData("""{"optimizer":"muon"}""", "optimizer: adamw")]
    [InlineData("""{"optimizer-state":"continue"}""", "optimizer-state: reset")]
    [InlineData("""{"only":["routers"]}""", "leave 'only' out")]
    [InlineData("""{"ema":0.99}""", "leave 'ema' out")]
    [InlineData("""{"stable":true}""", "leave 'stable' out")]
    [InlineData("""{"elastic":{"least":1,"most":2}}""", "leave 'elastic' out")]
    [InlineData("""{"learning-rate":"auto"}""", "as numbers")]
    [InlineData("""{"batch":"auto"}""", "as numbers")]
    public async Task Run_WhatCannotBeShared_IsRefusedWithTheRemedy(string more, string expected)
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        var options = TeamBench.Options(2);
        foreach (var (key, value) in JsonNode.Parse(more)!.AsObject())
            options[key] = value?.DeepClone();

        var error = await Should.ThrowAsync<UserInputException>(() => TeamBench.RunAsync(_bench.Member(data, options)));

        error.Message.ShouldContain(expected);
    }

    [Fact]
    public async Task Run_IntervalWithoutWorkers_IsRefused()
    {
        var data = await _bench.Training.AddRepetitiveDatasetAsync();
        var options = TrainingBench.Options("""{"synchronise-steps":10}""");

        var error = await Should.ThrowAsync<UserInputException>(() => TrainingBench.RunAsync(_bench.Training.Context(data, options)));

        error.Message.ShouldContain("say in 'workers' how many there are");
    }

    private sealed class MetricProgress : IStageProgress
    {
        public Dictionary<string, double> Metrics { get; } = [];

        public void Report(string phase, long done, long total, string unit)
        {
        }

        public void Metric(string name, double value) => Metrics[name] = value;

        public void Log(string message)
        {
        }
    }
}
