using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages.Worker;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.TestKit.Models;
using Espalier.Tokenizers;
using System.Runtime.Intrinsics.X86;
using System.Text.Json;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Tests;

public sealed class TrainStageTests : IDisposable
{
    private const string Nothing = "0000000000000000000000000000000000000000000000000000000000000000";
    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Run_RepetitiveBytes_LearnsThem()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var result = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"tokens":9600}""")));

        var history = (await _bench.ReportAsync(result))["history"]!.AsArray();
        history[0]!["loss"]!.GetValue<double>().ShouldBeGreaterThan(5); // ln 257 = 5.55
        result.Metrics["train-loss"].ShouldBeLessThan(1.0);
        history[^1]!["tokens"]!.GetValue<long>().ShouldBe(9600);
    }

    [Fact]
    public async Task Run_SameInputs_SameRoots()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var first = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options()));
        var second = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options()));
        var other = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"seed":4}""")));

        second.Outputs.ShouldBe(first.Outputs);
        other.Outputs["model"].ShouldNotBe(first.Outputs["model"]);
    }

    [Theory]
    [InlineData("loss-free", true)]
    [InlineData("loss", false)]
    public async Task Run_StoppedAndResumedElsewhere_EndsInTheSameBits(string balance, bool isCancelled)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var options = TrainingBench.Options($$"""{"balance":"{{balance}}","accumulate":2,"checkpoint-steps":3,"tokens":1280}"""); // 10 steps
        var whole = await TrainingBench.RunAsync(_bench.Context(data, options));
        var cursor = new MemoryCursor();
        using var stop = new CancellationTokenSource();
        var interrupted = _bench.Context(data, options, cursor, new TrainingProgress { AfterStep = Interrupt });

        await Should.ThrowAsync<Exception>(() => TrainingBench.RunAsync(interrupted, stop.Token));
        var progress = new TrainingProgress();
        var resumed = await TrainingBench.RunAsync(_bench.Context(data, options, cursor, progress));

        resumed.Outputs.ShouldBe(whole.Outputs);
        resumed.Metrics.ShouldBe(whole.Metrics);
        progress.Reports.Count.ShouldBe(isCancelled ? 5 : 7); // cancelled: saved after step 5; killed: back to step 3

        void Interrupt(int step)
        {
            if (step != 5)
                return;
            if (!isCancelled)
                throw new IOException("killed");
            stop.Cancel();
        }
    }

    [Fact]
    public async Task Run_ThatSavesOften_KeepsTwoPositionsAtMostAndNoneAtTheEnd()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var most = 0;
        var progress = new TrainingProgress { AfterStep = _ => most = Math.Max(most, _bench.PositionsAsync().GetAwaiter().GetResult()) };
        var context = _bench.Context(data, TrainingBench.Options("""{"checkpoint-steps":2}"""), null, progress); // 16 steps
        var cursor = new BlobCursor(_bench.Store.Blobs, context.Step.Key);

        await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"checkpoint-steps":2}"""), cursor, progress));

        most.ShouldBeInRange(1, 2);
        (await _bench.PositionsAsync()).ShouldBe(1);
        await cursor.ClearAsync(default);
        (await _bench.PositionsAsync()).ShouldBe(0);
        (await cursor.LoadAsync(default)).ShouldBeNull();
    }

    [Fact]
    public async Task Run_WithRecomputation_EndsInTheSameBits()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var kept = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options()));
        var again = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"recompute":true}""")));

        again.Outputs.ShouldBe(kept.Outputs);
    }

    [Fact]
    public async Task Run_PartsThatAreNotTrained_AreInNoPosition()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var options = TrainingBench.Options("""{"checkpoint-steps":2,"only":"routers"}""");
        var cursor = new MemoryCursor { StopAfter = 2 };
        await Should.ThrowAsync<KilledException>(() => TrainingBench.RunAsync(_bench.Context(data, options, cursor)));
        var position = JsonDocument.Parse(cursor.Position!).RootElement.GetProperty("state").GetProperty("root").GetString()!;
        var names = (await CheckpointReader.OpenAsync(_bench.Store, Digest.Parse(position), default)).Names;

        var resumed = await TrainingBench.RunAsync(_bench.Context(data, options, cursor));

        names.ShouldContain("weights.model.layers.0.mlp.gate.weight");
        names.ShouldNotContain("weights.model.embed_tokens.weight");
        resumed.Outputs.ShouldBe((await TrainingBench.RunAsync(_bench.Context(data, options))).Outputs);
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("""{"step":3}""")]
    [InlineData("""{"step":3,"optimizer-steps":3,"state":{"kind":"trainer-state","size-bytes":1,"root":""" + "\"" + Nothing + "\"}}")]
    public async Task Run_PositionThatCannotBeRead_StartsAgain(string position)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var expected = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options()));

        var cursor = new MemoryCursor { Position = System.Text.Encoding.UTF8.GetBytes(position) };
        var result = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(), cursor));

        result.Outputs.ShouldBe(expected.Outputs);
    }

    [Fact]
    public async Task Run_SplitBecauseMemoryWasShort_LearnsTheSameUpToRounding()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var options = TrainingBench.Options("""{"balance":"loss-free","batch":6,"tokens":1920}""");

        var whole = await TrainingBench.RunAsync(_bench.Context(data, options));
        _bench.MemoryDivisor = 4;
        var split = await TrainingBench.RunAsync(_bench.Context(data, options)); // 6 rows: 6 parts of one

        var (expected, found) = ((await _bench.ReportAsync(whole))["history"]!.AsArray(), (await _bench.ReportAsync(split))["history"]!.AsArray());
        found.Select(p => p!["tokens"]!.GetValue<long>()).ShouldBe(expected.Select(p => p!["tokens"]!.GetValue<long>()));
        foreach (var (e, f) in expected.Zip(found))
            f!["loss"]!.GetValue<double>().ShouldBe(e!["loss"]!.GetValue<double>(), 1e-3);
    }

    [Fact]
    public async Task Run_ManySteps_LeavesNoTensors()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"tokens":128}""")));
        var before = LiveTensors.CountSettled();
        var during = new List<long>();

        var progress = new TrainingProgress { AfterStep = _ => during.Add(LiveTensors.Count) };
        await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(), null, progress));

        LiveTensors.Count.ShouldBe(before);
        during.Skip(1).Distinct().Count().ShouldBe(1);
    }

    [Fact]
    public async Task Run_ContinuedFromCheckpoint_StartsWhereItWas()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var first = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"tokens":4800,"schedule":"constant"}""")));

        var second = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"optimizer-state":"continue","schedule":"constant","warmup":0,"tokens":640}""", model: null), null, null,
            new StepInput("base", "model", first.Outputs["model"]), new StepInput("base", "trainer-state", first.Outputs["trainer-state"])));

        var history = (await _bench.ReportAsync(second))["history"]!.AsArray();
        history[0]!["loss"]!.GetValue<double>().ShouldBeLessThan(first.Metrics["train-loss"] * 1.2);
        var manifest = await _bench.Store.ReadAsync(second.Outputs["model"].Root, default);
        manifest.Parents.Select(p => p.Relation).ShouldBe(["trained", "data"]);
    }

    [Fact]
    public async Task Run_InTwoPartsWithSkip_IsOneRun()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        const string Common = """ "schedule":"constant","warmup":0,"balance":"none" """;
        var whole = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{"tokens":1280,{{Common}}}""")));

        var half = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options($$"""{"tokens":640,{{Common}}}""")));
        var rest = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options($$"""{"tokens":640,"skip":640,"optimizer-state":"continue",{{Common}}}""", model: null), null, null,
            new StepInput("base", "model", half.Outputs["model"]), new StepInput("base", "trainer-state", half.Outputs["trainer-state"])));

        (await WeightsAsync(rest)).ShouldBe(await WeightsAsync(whole));
        whole.Metrics["operations"].ShouldBe(6 * (await _bench.ReportAsync(whole))["active-parameters"]!.GetValue<double>() * 1280);
        (half.Metrics["operations"] + rest.Metrics["operations"]).ShouldBe(whole.Metrics["operations"]);

        async Task<IEnumerable<Digest>> WeightsAsync(StageResult result) =>
            (await _bench.Store.ReadAsync(result.Outputs["model"].Root, default)).Tensors.Select(t => t.Blob);
    }

    [Fact]
    public async Task Run_ContinuedWithYoungerExperts_CountsTheirStepsApart()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var first = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options()));
        var saved = await CheckpointReader.OpenAsync(_bench.Store, first.Outputs["trainer-state"], default);
        var steps = saved.Manifest.Properties!["optimizer-steps"]!.GetValue<long>();
        var young = await WithStepsAsync(first.Outputs["trainer-state"], [steps, steps, 0, 0]);

        var second = await ContinueAsync(young);
        var plain = await ContinueAsync(first.Outputs["trainer-state"]);

        var state = await CheckpointReader.OpenAsync(_bench.Store, second.Outputs["trainer-state"], default);
        var total = state.Manifest.Properties!["optimizer-steps"]!.GetValue<long>();
        state.ReadAll(TrainerStateNames.ExpertSteps(1)).Chunk(8).Select(b => BitConverter.ToInt64(b)).ShouldBe([total, total, total - steps, total - steps]);
        second.Outputs["model"].ShouldNotBe(plain.Outputs["model"]);
        (await CheckpointReader.OpenAsync(_bench.Store, plain.Outputs["trainer-state"], default)).Names.ShouldNotContain(TrainerStateNames.ExpertSteps(1));

        Task<StageResult> ContinueAsync(ManifestRef state) => TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"optimizer-state":"continue","tokens":640}""", model: null), null, null,
            new StepInput("base", "model", first.Outputs["model"]), new StepInput("base", "trainer-state", state)));
    }

    [Fact]
    public async Task Run_ContinuedWithCountsOfAnotherModel_IsRefused()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var first = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options()));
        var wrong = await WithStepsAsync(first.Outputs["trainer-state"], [1, 2, 3]);

        var error = await Should.ThrowAsync<UserInputException>(() => TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"optimizer-state":"continue","tokens":640}""", model: null), null, null,
            new StepInput("base", "model", first.Outputs["model"]), new StepInput("base", "trainer-state", wrong))));

        error.Message.ShouldContain("must hold 4 counts");
    }

    [Theory]
    [InlineData("routers", ".mlp.gate.")]
    [InlineData("feed-forward", ".mlp.experts.")]
    public async Task Run_OnlyAPart_LeavesTheRestAsItWas(string part, string trained)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var first = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options()));

        var second = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options($$"""{"only":"{{part}}","tokens":640,"balance":"none"}""", model: null), null, null,
            new StepInput("base", "model", first.Outputs["model"])));

        var before = await CheckpointReader.OpenAsync(_bench.Store, first.Outputs["model"], default);
        var after = await CheckpointReader.OpenAsync(_bench.Store, second.Outputs["model"], default);
        foreach (var name in after.Names.Where(name => !name.EndsWith("e_score_correction_bias", StringComparison.Ordinal)))
            after.ReadAll(name).SequenceEqual(before.ReadAll(name)).ShouldBe(!name.Contains(trained, StringComparison.Ordinal), name);
    }

    [Theory]
    [InlineData("llama")]
    [InlineData("qwen3")]
    public async Task Run_DenseModel_Learns(string family)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var result = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"tokens":3200}""", model: $$"""{"family":"{{family}}","layers":2,"hidden":32,"heads":4,"expert-size":48}""")));

        result.Metrics["train-loss"].ShouldBeLessThan(4);
        ModelConfig.Parse((await CheckpointReader.OpenAsync(_bench.Store, result.Outputs["model"], default)).ReadFile("config.json")).IsMixture.ShouldBeFalse();
    }

    private async Task<ManifestRef> WithStepsAsync(ManifestRef state, long[] steps)
    {
        var reader = await CheckpointReader.OpenAsync(_bench.Store, state, default);
        using var writer = new CheckpointWriter(_bench.Store, ArtifactKind.TrainerState);
        foreach (var tensor in reader.Manifest.Tensors)
            writer.AddExisting(tensor);
        for (var layer = 0; layer < 2; layer++)
            await writer.AddTensorAsync(TrainerStateNames.ExpertSteps(layer), "I64", [steps.Length],
                steps.SelectMany(BitConverter.GetBytes).ToArray(), default);
        writer.SetProperties(reader.Manifest.Properties!);
        return await writer.CommitAsync(default);
    }

    [Fact]
    public async Task Run_BFloat16_LandsNearFloat32()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var exact = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"tokens":3200}""")));
        var progress = new TrainingProgress();
        var rounded = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"tokens":3200,"precision":"bf16"}"""), null, progress));

        rounded.Metrics["train-loss"].ShouldBe(exact.Metrics["train-loss"], 0.15);
        rounded.Outputs["model"].ShouldNotBe(exact.Outputs["model"]);
        progress.Lines.Any(line => line.Contains("bfloat16", StringComparison.Ordinal)).ShouldBe(!Avx512BW.IsSupported, "emulation is slow, and said to be");
    }

    [Fact]
    public async Task Run_TrainedVocabulary_CarriesTheTokenizer()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var model = TrainingBench.TinyModel.Replace("}", ",\"vocabulary\":259}", StringComparison.Ordinal);

        var result = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(model: model)));

        var reader = await CheckpointReader.OpenAsync(_bench.Store, result.Outputs["model"], default);
        reader.HasFile("tokenizer.json").ShouldBeTrue();
        reader.Describe(TensorNames.Embedding).Shape[0].ShouldBe(259);
    }

    [Fact]
    public async Task Run_VocabularyOfBytes_CarriesATokenizerThatGivesBytes()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var result = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options()));

        var reader = await CheckpointReader.OpenAsync(_bench.Store, result.Outputs["model"], default);
        StoredTokenizer.Load(reader, DecoderFiles.ReadConfig(reader, "model")).Encode("aé").ShouldBe([0x61, 0xC3, 0xA9]);
    }

    [Fact]
    public async Task Run_ModelWithoutTokenizer_IsRefusedUnlessBytesAreAskedFor()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        using var source = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        var input = new StepInput("base", "model", await _bench.AddModelAsync(source, new Dictionary<string, byte[]>()));

        var error = await Should.ThrowAsync<UserInputException>(() =>
            TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(model: null), null, null, input)));
        error.Message.ShouldContain("'tokenizer: bytes'");
        var result = await TrainingBench.RunAsync(
            _bench.Context(data, TrainingBench.Options("""{"tokenizer":"bytes"}""", model: null), null, null, input));
        result.Metrics["tokens"].ShouldBeGreaterThan(0);
    }

    [Theory]
    [InlineData("tokenizer", true)]
    [InlineData("always", true)]
    [InlineData("never", false)]
    public async Task Run_TokenizerThatBegins_TrainsOnTheTokenAndSaysSo(string bos, bool adds)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        using var source = MoeDecoder.Create(ModelConfig.Tiny(), 1);
        var files = new Dictionary<string, byte[]>(ByteLevelBpe.OfBytes().Files)
        {
            ["tokenizer_config.json"] = """
                {"tokenizer_class":"LlamaTokenizer","bos_token":"<s>","eos_token":"<|endoftext|>",
                 "added_tokens_decoder":{"257":{"content":"<s>","special":true}}}
                """u8.ToArray(),
        };
        var input = new StepInput("base", "model", await _bench.AddModelAsync(source, files));

        var result = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options($$"""{"bos":"{{bos}}"}""", model: null), null, null, input));

        var report = (await _bench.ReportAsync(result))["bos"]!;
        ((bool)report["added"]!, (int)report["token-id"]!).ShouldBe((adds, 257));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Run_FrozenReplicas_AreLetInOverTheRamp(bool hasSelectionBias)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var grown = await AddGrownAsync(siblingExclusive: false, frozenBias: -60, hasSelectionBias);

        var result = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"tokens":1280,"replica-ramp":640}""", model: null), null, null, new StepInput("grown", "model", grown)));

        var load = (await _bench.ReportAsync(result))["load"]!.AsArray();
        Replicas(load[0]!).ShouldBe(0);
        Replicas(load[^1]!).ShouldBeGreaterThan(0);
        result.Metrics["sibling-distance"].ShouldBeGreaterThan(0);

        static long Replicas(System.Text.Json.Nodes.JsonNode snapshot) =>
            snapshot["layers"]!.AsArray().Sum(layer => layer!.AsArray().Skip(4).Sum(count => count!.GetValue<long>()));
    }

    [Fact]
    public async Task Run_SiblingExclusive_IsReleasedHalfWay()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var grown = await AddGrownAsync(siblingExclusive: true, frozenBias: null);

        var kept = await Train("1.0");
        var released = await Train("0.5");

        (await ConfigAsync(kept)).SiblingExclusive.ShouldBeTrue();
        kept.Metrics["sibling-co-selection"].ShouldBe(0);
        kept.Metrics["distinct-sources"].ShouldBe(2);
        kept.Metrics["sibling-distance"].ShouldBeGreaterThan(0);
        (await ConfigAsync(released)).SiblingExclusive.ShouldBeFalse();

        Task<StageResult> Train(string share) => TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options($$"""{"release-siblings":{{share}}}""", model: null), null, null, new StepInput("grown", "model", grown)));
    }

    [Fact]
    public async Task Run_WideStart_ReturnsToItsExpertsPerToken()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny() with { ExpertsPerToken = 4, TargetExpertsPerToken = 2 }, 1);
        var wide = await _bench.AddModelAsync(decoder);

        var result = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(model: null), null, null, new StepInput("grown", "model", wide)));

        var config = await ConfigAsync(result);
        config.ExpertsPerToken.ShouldBe(2);
        config.TargetExpertsPerToken.ShouldBeNull();
        var load = (await _bench.ReportAsync(result))["load"]!.AsArray();
        load[0]!["layers"]![0]!.AsArray().Sum(c => c!.GetValue<long>()).ShouldBe(64 * 4);
        load[^1]!["layers"]![0]!.AsArray().Sum(c => c!.GetValue<long>()).ShouldBe(64 * 2);
    }

    [Fact]
    public async Task Run_LossBecomesNaN_NamesTheStep()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var error = await Should.ThrowAsync<UserInputException>(() => TrainingBench.RunAsync(
            _bench.Context(data, TrainingBench.Options("""{"learning-rate":10,"gradient-clip":0,"warmup":0,"weight-decay":10,"tokens":12800}"""))));

        error.Message.ShouldContain("at optimizer step");
        error.Message.ShouldContain("text of words");
        error.Message.ShouldContain("learning-rate");
    }

    [Theory]
    [InlineData("""{"model":null}""", "nothing to train")]
    [InlineData("""{"length":8192}""", "max_position_embeddings")]
    [InlineData("""{"model":{"hidden":30,"heads":4}}""", "model.hidden")]
    [InlineData("""{"model":{"experts":2,"top-k":3}}""", "model.top-k")]
    [InlineData("""{"model":{"vocabulary":"words"}}""", "model.vocabulary")]
    [InlineData("""{"optimizer-state":"continue"}""", "trainer-state")]
    [InlineData("""{"mixture":{"wrds":1}}""", "words")]
    public async Task Run_BadOptions_SayWhatToChange(string options, string expected)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        var error = await Should.ThrowAsync<UserInputException>(() => TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(options))));

        error.Message.ShouldContain(expected);
    }

    private async Task<ModelConfig> ConfigAsync(StageResult result) =>
        DecoderFiles.ReadConfig(await CheckpointReader.OpenAsync(_bench.Store, result.Outputs["model"], default), "model");

    private async Task<ManifestRef> AddGrownAsync(bool siblingExclusive, float? frozenBias, bool hasSelectionBias = false)
    {
        IReadOnlyList<int> groups = [0, 1, 2, 3, 0, 1, 2, 3];
        var config = ModelConfig.Tiny() with { Experts = 8, SiblingGroups = [groups, groups], SiblingExclusive = siblingExclusive };
        using var source = MoeDecoder.Create(config, 1);
        using var untracked = no_grad();
        for (var layer = 0; layer < 2; layer++)
        {
            using var scope = NewDisposeScope();
            var router = source.Parameters.Single(p => p.Name == TensorNames.Router(layer)).Value;
            router.narrow(0, 4, 4).copy_(router.narrow(0, 0, 4));
            for (var expert = 0; expert < 4; expert++)
            {
                var (from, to) = (source.GetExpert(layer, expert), source.GetExpert(layer, expert + 4));
                to.Gate.copy_(from.Gate);
                to.Up.copy_(from.Up);
                to.Down.copy_(from.Down);
            }
        }
        using var writer = new CheckpointWriter(_bench.Store);
        await CheckpointSaver.AddAsync(writer, source, default);
        await TrainingBench.AddFilesAsync(writer, ByteLevelBpe.OfBytes().Files);
        for (var layer = 0; layer < 2 && frozenBias is not null; layer++)
        {
            using var bias = tensor([0f, 0f, 0f, 0f, frozenBias.Value, frozenBias.Value, frozenBias.Value, frozenBias.Value]);
            await CheckpointSaver.AddTensorAsync(writer, TensorNames.RouterBias(layer), bias, ScalarType.Float32, default);
            using var selection = tensor([0.1f, -0.1f, 0f, 0f, -1.1f, -1.1f, -1.1f, -1.1f]);
            if (hasSelectionBias)
                await CheckpointSaver.AddTensorAsync(writer, TensorNames.SelectionBias(layer), selection, ScalarType.Float32, default);
        }
        return await writer.CommitAsync(default);
    }
}
