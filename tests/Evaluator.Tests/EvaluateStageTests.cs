using System.Text.Json;
using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Evaluator.Reports;
using Espalier.Evaluator.Routing;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Datasets;
using Espalier.Modeling.Runtime;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Evaluator.Tests;

public sealed class EvaluateStageTests : IDisposable
{
    private static readonly ModelConfig Tiny = ModelConfig.Tiny();
    private readonly StageBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Run_UniformModel_HasPerplexityOfTheVocabulary()
    {
        var model = await _bench.ModelAsync(Tiny, edit: (name, value) =>
        {
            if (name == TensorNames.Head)
                value.zero_();
        });

        var result = await RunAsync("""{"tasks":["validation-loss"],"length":16,"xz":false}""", ("model", model));

        result.Metrics["model.perplexity"].ShouldBe(258, 1e-3);
        var loss = (await ReportAsync(result)).Models[0].Section<LossReport>("validation-loss")!;
        result.Metrics["model.bits-per-byte"].ShouldBe(Math.Log2(258) * loss.Tokens / loss.Bytes, 1e-5);
        loss.Tokens.ShouldBe(loss.Bytes + loss.Documents); // bytes are tokens; every document has an end token
        loss.Domains!.Values.Sum(d => d.Tokens).ShouldBe(loss.Tokens);
    }

    [Fact]
    public async Task Run_LogitsOfAModelWithoutTokenizer_NeedsNone()
    {
        var model = await _bench.ModelAsync(ModelConfig.Tiny(vocabulary: 40)); // too few ids for bytes as tokens

        var result = await RunAsync("""{"tasks":["logits"],"tokens":[[1,5,39]]}""", ("model", model));

        (await _bench.OpenAsync(result.Outputs[OutputNames.Report])).HasFile("logits.safetensors").ShouldBeTrue();
        (await Should.ThrowAsync<UserInputException>(() => RunAsync("""{"tasks":["validation-loss"]}""", ("model", model)))).Message.ShouldContain(
            "There is no tokenizer beside the model");
    }

    [Fact]
    public async Task Run_ModelWithoutMemory_GivesTheSameLossAtAnyLengthAndBatch()
    {
        var model = await MemorylessAsync();

        var losses = new List<double>();
        foreach (var (length, batch) in new[] { (2, 7), (16, 3), (128, 1) })
            losses.Add((await RunAsync($$"""{"tasks":["validation-loss"],"length":{{length}},"batch":{{batch}},"xz":false}""",
                ("model", model))).Metrics["model.loss"]);

        losses.ShouldAllBe(loss => Math.Abs(loss - losses[0]) < 1e-5);
    }

    /// <summary>A model at another number of experts per token is the model whose configuration says that number.</summary>
    [Fact]
    public async Task Run_ExpertsPerToken_TakesThePlaceOfTheModelsOwn()
    {
        var (two, three) = (await _bench.ModelAsync(Tiny, seed: 1), await _bench.ModelAsync(Tiny with { ExpertsPerToken = 3 }, seed: 1));

        var own = await LossAsync(two, "");
        var other = await LossAsync(two, ""","experts-per-token":3""");

        other.ShouldBe(await LossAsync(three, ""));
        other.ShouldNotBe(own);
        (await Should.ThrowAsync<UserInputException>(() => LossAsync(two, ""","experts-per-token":5"""))).Message
            .ShouldContain("'experts-per-token' is 5, and its tokens can use 4 at most");

        async Task<double> LossAsync(ManifestRef model, string more) =>
            (await RunAsync($$"""{"tasks":["validation-loss"],"length":16,"xz":false{{more}}}""", ("model", model))).Metrics["model.loss"];
    }

    [Fact]
    public async Task Run_ModelWithTopP_CountsTheExpertsInUse()
    {
        var model = await _bench.ModelAsync(Tiny with { ExpertsPerToken = 4, TopP = 0.45 }); // fresh: each of 4 has about a quarter

        var result = await RunAsync("""{"tasks":["validation-loss","routing"],"length":16,"xz":false}""", ("model", model));

        var report = (await ReportAsync(result)).Models[0];
        var tokens = report.Section<LossReport>("validation-loss")!.Tokens;
        report.Section<RoutingResult>("routing")!.Load.ShouldAllBe(layer => layer.Sum() == 2.0 * tokens);
    }

    [Fact]
    public async Task Run_SeveralModels_ComparesThemOnTheSameDocuments()
    {
        var (a, b) = (await _bench.ModelAsync(Tiny, seed: 1), await _bench.ModelAsync(Tiny, seed: 2));

        var result = await RunAsync("""{"tasks":["validation-loss"],"length":32,"baseline":"base","resamples":500,"xz":false}""",
            ("base", a), ("grown", b), ("copy", a));

        result.Metrics["grown.loss-difference"].ShouldBe(result.Metrics["grown.loss"] - result.Metrics["base.loss"], 1e-12);
        result.Metrics["copy.loss-difference"].ShouldBe(0);
        result.Metrics["copy.loss-difference-high"].ShouldBe(0);
        result.Metrics["base.loss-low"].ShouldBeLessThan(result.Metrics["base.loss"]);
        result.Metrics["base.loss-high"].ShouldBeGreaterThan(result.Metrics["base.loss"]);
        (await ReportAsync(result)).Comparisons.Select(c => (c.First, c.Second))
            .ShouldBe([("grown", "base"), ("copy", "base"), ("copy", "grown")], ignoreOrder: true);
    }

    [Fact]
    public async Task Run_Routing_CountsEveryTokenKTimes()
    {
        var model = await _bench.ModelAsync(Tiny);

        var result = await RunAsync("""{"tasks":["validation-loss","routing"],"length":32,"xz":false}""", ("model", model));

        var report = (await ReportAsync(result)).Models[0];
        var (tokens, routing) = (report.Section<LossReport>("validation-loss")!.Tokens, report.Section<RoutingResult>("routing")!);
        foreach (var layer in routing.Load)
            layer.Sum().ShouldBe(2.0 * tokens);
        routing.LoadByDomain.Values.Sum(domain => domain[1].Sum()).ShouldBe(2.0 * tokens);
        routing.Layers.ShouldAllBe(l => l.CoActivation[0][0] == 1 && l.TokenEntropy > 0 && l.TokenEntropy <= Math.Log(4) + 1e-6);
        result.Metrics["model.max-violation"].ShouldBe(routing.Load.Max(l => l.Max() / l.Average() - 1), 1e-12);
        result.Metrics["model.dead-experts"].ShouldBe(0);
    }

    [Fact]
    public async Task Run_MultipleChoice_DoesNotDependOnTheOrderOfChoices()
    {
        var model = await _bench.ModelAsync(Tiny, edit: Sharpen);
        var items = Enumerable.Range(0, 24).Select(i => new MultipleChoiceItem(
            $"q{i}", $"question {i} is", [.. Enumerable.Range(0, 4).Select(c => $" answer {(i * 31 + c * 17) % 97} of {c}")], i % 4)).ToList();
        var turned = items.Select(item => item with { Choices = [.. item.Choices.Skip(1), item.Choices[0]], Answer = (item.Answer + 3) % 4 }).ToList();
        const string Options = """{"tasks":["multiple-choice"],"batch":5}""";

        var before = await RunAsync(Options, items, ("model", model));
        var after = await RunAsync(Options, turned, ("model", model));

        after.Metrics["model.accuracy"].ShouldBe(before.Metrics["model.accuracy"]);
        after.Metrics["model.gold-margin"].ShouldBe(before.Metrics["model.gold-margin"], 1e-6);
        var report = (await ReportAsync(before)).Models[0].Section<Dictionary<string, ChoiceReport>>("multiple-choice")!["questions"];
        report.Chance.ShouldBe(0.25);
        report.StandardError!.Value.ShouldBe(Math.Sqrt(report.Accuracy * (1 - report.Accuracy) / 23), 1e-12);
    }

    [Fact]
    public async Task Run_MultipleChoice_PaddingDoesNotChangeLikelihoods()
    {
        var model = await _bench.ModelAsync(Tiny);
        var items = new List<MultipleChoiceItem> { new("a", "short", [" x", " a much longer choice than the other"], 0), new("b", "", ["y", "zz"], 1) };

        var together = await RunAsync("""{"tasks":["multiple-choice"],"batch":8}""", items, ("model", model));
        var alone = await RunAsync("""{"tasks":["multiple-choice"],"batch":1}""", items, ("model", model));

        together.Metrics["model.gold-margin"].ShouldBe(alone.Metrics["model.gold-margin"], 1e-5);
    }

    [Fact]
    public async Task Run_Agreement_OfAModelWithItself_IsPerfect()
    {
        var (a, b) = (await _bench.ModelAsync(Tiny, edit: Sharpen), await _bench.ModelAsync(Tiny, seed: 2, edit: Sharpen));

        var result = await RunAsync("""{"tasks":["agreement"],"reference":"source","length":16,"resamples":200,"xz":false}""",
            ("other", b), ("source", a), ("copy", a));

        result.Metrics["copy.kl-divergence"].ShouldBe(0, 1e-9);
        result.Metrics["copy.top-1-agreement"].ShouldBe(1);
        result.Metrics["other.kl-divergence"].ShouldBeGreaterThan(0.1);
        result.Metrics["other.top-1-agreement"].ShouldBeLessThan(0.9);
        result.Metrics["other.kl-divergence-low"].ShouldBeLessThan(result.Metrics["other.kl-divergence"]);
        result.Metrics.Keys.ShouldNotContain("source.kl-divergence");
        var report = (await ReportAsync(result)).Models[0].Section<AgreementReport>("agreement")!;
        report.Reference.ShouldBe("source");
        report.HighDivergence.ShouldBeGreaterThan(report.MedianDivergence);
        report.Domains!.Count.ShouldBe(2);
        report.LikeliestOverlap.ShouldBeInRange(0, 0.9);
    }

    [Fact]
    public void Compare_TwoModels_EqualsBruteForceInDouble()
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var teacher = MoeDecoder.Create(Tiny with { InitializerRange = 0.2 }, 1);
        using var student = MoeDecoder.Create(Tiny with { InitializerRange = 0.2 }, 2);
        var tokens = randint(0, 256, [4, 25], dtype: int64, generator: new Generator(3));
        var targets = randint(0, 256, [100], dtype: int64, generator: new Generator(4));

        var values = AgreementPass.Compare(Behind(teacher, tokens), Behind(student, tokens), targets);

        var (p, q) = (Probabilities(teacher, tokens), Probabilities(student, tokens));
        var right = targets.data<long>().ToArray();
        for (var t = 0; t < 100; t++)
        {
            values[5 * t].ShouldBe(p[t].Zip(q[t]).Sum(pair => pair.First * Math.Log(pair.First / pair.Second)), 1e-4);
            values[5 * t + 1].ShouldBe(First(p[t]) == First(q[t]) ? 1 : 0);
            values[5 * t + 2].ShouldBe(Likeliest(p[t]).Intersect(Likeliest(q[t])).Count() / 5.0, 1e-9);
            values[5 * t + 3].ShouldBe(First(p[t]) == right[t] ? 1 : 0);
        }

        static BehindLayers Behind(MoeDecoder decoder, Tensor tokens) => new(
            decoder, Enumerable.Range(0, Tiny.Layers).Aggregate(decoder.Embed(tokens), (stream, layer) => decoder.RunLayer(layer, stream)).flatten(0, 1));
        static double[][] Probabilities(MoeDecoder decoder, Tensor tokens) =>
            [.. decoder.Forward(tokens).Logits.flatten(0, 1).to(float64).softmax(-1).data<double>().ToArray().Chunk(258)];
        static int First(double[] probabilities) => Likeliest(probabilities)[0];
        static int[] Likeliest(double[] probabilities) => [.. Enumerable.Range(0, probabilities.Length).OrderByDescending(v => probabilities[v]).Take(5)];
    }

    [Fact]
    public async Task Run_AgreementOfOneModel_SaysWhatIsMissing()
    {
        var model = await _bench.ModelAsync(Tiny);

        (await Should.ThrowAsync<UserInputException>(() => RunAsync("""{"tasks":["agreement"]}""", ("model", model)))).Message.ShouldContain(
            "at least two models");
        (await Should.ThrowAsync<UserInputException>(() =>
            RunAsync("""{"tasks":["agreement"],"reference":"nobody"}""", ("a", model), ("b", model)))).Message.ShouldContain("'a', 'b'");
    }

    [Fact]
    public async Task Run_Logits_WritesWhatTheModelComputes()
    {
        var model = await _bench.ModelAsync(Tiny);

        var result = await RunAsync("""{"tasks":["logits"],"tokens":[[1,5,9],[7,7,7]],"precision":"fp32"}""", ("model", model));

        var file = Path.GetTempFileName();
        await File.WriteAllBytesAsync(file, (await _bench.OpenAsync(result.Outputs["report"])).ReadFile("logits.safetensors"));
        using var tensors = Artifacts.Checkpoints.SafetensorsFile.Open(file);
        tensors.Describe("logits").Shape.ShouldBe([2, 3, 258]);
        tensors.Describe("experts.1").ShouldBe(new Artifacts.Checkpoints.TensorHeader("experts.1", "I32", tensors.Describe("experts.1").Shape, 2 * 3 * 2 * 4));
        var stored = await _bench.OpenAsync(model);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        using var decoder = MoeDecoder.Load(Tiny, new Surgery.Checkpoints.StoredWeights(stored));
        var expected = decoder.Forward(tensor(new long[,] { { 1, 5, 9 }, { 7, 7, 7 } })).Logits;
        var bytes = new byte[2 * 3 * 258 * 4];
        tensors.Read("logits", bytes);
        bytes.AsSpan().SequenceEqual(expected.bytes).ShouldBeTrue();
        File.Delete(file);
    }

    [Fact]
    public async Task Run_KilledBetweenModels_GoesOnToTheSameReport()
    {
        (string, ManifestRef)[] models = [("a", await _bench.ModelAsync(Tiny, seed: 1)), ("b", await _bench.ModelAsync(Tiny, seed: 2))];
        const string Options = """{"tasks":["validation-loss","routing"],"length":32,"resamples":200,"xz":false}""";
        var expected = await RunAsync(Options, models);
        _bench.Cursor.StopAfter = _bench.Cursor.Saves + 1;
        await Should.ThrowAsync<KilledException>(() => RunAsync(Options, models));
        var saves = _bench.Cursor.Saves;

        var resumed = await RunAsync(Options, null, keepCursor: true, models);

        resumed.Outputs.ShouldBe(expected.Outputs);
        (_bench.Cursor.Saves - saves).ShouldBe(1); // the second model only
    }

    [Theory]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("what is measured already")]
    public async Task Run_PositionThatCannotBeRead_MeasuresAgain(string position)
    {
        (string, ManifestRef)[] models = [("a", await _bench.ModelAsync(Tiny, seed: 1))];
        const string Options = """{"tasks":["validation-loss"],"length":32,"resamples":200,"xz":false}""";
        _bench.Cursor.StopAfter = _bench.Cursor.Saves + 1;
        await Should.ThrowAsync<KilledException>(() => RunAsync(Options, models));
        var saved = System.Text.Encoding.UTF8.GetString(_bench.Cursor.Position!);
        var gone = System.Text.RegularExpressions.Regex.Replace(saved, "[0-9a-f]{64}", new string('0', 64));
        var expected = await RunAsync(Options, models);
        _bench.Cursor.Position = System.Text.Encoding.UTF8.GetBytes(position is "{" or "null" ? position : gone);

        var result = await RunAsync(Options, null, keepCursor: true, models);

        result.Outputs.ShouldBe(expected.Outputs);
    }

    [Fact]
    public async Task Run_ModelWithoutTokenizer_TakesBytesOnlyWhenTheTaskSaysSo()
    {
        var bare = await _bench.ModelAsync(Tiny, files: new Dictionary<string, byte[]>());
        var whole = await _bench.ModelAsync(Tiny);

        (await Should.ThrowAsync<UserInputException>(() => RunAsync("""{"tasks":["validation-loss"]}""", ("model", bare)))).Message.ShouldContain(
            "'tokenizer: bytes'");
        var asked = await RunAsync("""{"tasks":["validation-loss"],"tokenizer":"bytes","xz":false}""", ("model", bare));
        var carried = await RunAsync("""{"tasks":["validation-loss"],"xz":false}""", ("model", whole));
        asked.Metrics["model.loss"].ShouldBe(carried.Metrics["model.loss"], 1e-9);
    }

    [Theory]
    [InlineData("", true)]
    [InlineData(",\"bos\":\"tokenizer\"", true)]
    [InlineData(",\"bos\":\"always\"", true)]
    [InlineData(",\"bos\":\"never\"", false)]
    public async Task Run_TokenizerThatBegins_ReadsTheTokenAndNeverScoresIt(string bos, bool adds)
    {
        var model = await _bench.ModelAsync(Tiny, edit: Sharpen, files: WithBegin());

        var result = await RunAsync($$"""{"tasks":["validation-loss","routing"],"length":16,"xz":false{{bos}}}""", ("model", model));

        var report = (await ReportAsync(result)).Models[0];
        report.Bos.ShouldBe(new Tokenizers.BosReport(adds, 257));
        var loss = report.Section<LossReport>("validation-loss")!;
        loss.Tokens.ShouldBe(loss.Bytes + loss.Documents);
        var plain = await RunAsync("""{"tasks":["validation-loss"],"length":16,"xz":false}""", ("model", await _bench.ModelAsync(Tiny, edit: Sharpen)));
        (Math.Abs(result.Metrics["model.loss"] - plain.Metrics["model.loss"]) > 1e-6).ShouldBe(adds);
    }

    [Fact]
    public async Task Run_MultipleChoiceBeyondTheContext_CountsTheItems()
    {
        var model = await _bench.ModelAsync(Tiny);
        var items = new List<MultipleChoiceItem> { new("a", new string('x', 200), [" y", " z"], 0), new("b", "short", [" y", " z"], 1) };

        var result = await RunAsync("""{"tasks":["multiple-choice"]}""", items, ("model", model));

        result.Metrics["model.cut-items"].ShouldBe(1);
        (await ReportAsync(result)).Models[0].Section<Dictionary<string, ChoiceReport>>("multiple-choice")!["questions"].CutItems.ShouldBe(1);
        (await ReportAsync(result)).Protocol.Choices!.ShouldContain("never scored");
    }

    [Fact]
    public async Task Run_MaxTokensThatFitNothing_SaysSo()
    {
        var model = await _bench.ModelAsync(Tiny);

        (await Should.ThrowAsync<UserInputException>(() => RunAsync("""{"tasks":["validation-loss"],"max-tokens":1}""", ("model", model))))
            .Message.ShouldContain("'max-tokens' is 1");
    }

    [Fact]
    public async Task Run_MaxTokens_BoundsTheWork()
    {
        var model = await _bench.ModelAsync(Tiny);

        var result = await RunAsync("""{"tasks":["validation-loss"],"length":32,"max-tokens":500,"xz":false}""", ("model", model));

        result.Metrics["model.scored-tokens"].ShouldBe(500); // bytes are tokens, so the limit is met to the last
    }

    [Fact]
    public async Task Run_Xz_MeasuresTheSameTextOrSaysWhyNot()
    {
        var model = await _bench.ModelAsync(Tiny);

        var xz = (await ReportAsync(await RunAsync("""{"tasks":["validation-loss"],"length":64,"resamples":100}""", ("model", model)))).Xz!;

        (xz.BitsPerByte is null).ShouldBe(xz.Reason is not null);
        (xz.BitsPerByte ?? 1).ShouldBeInRange(0.01, 8);
    }

    [Theory]
    [InlineData("""{"tasks":["validation-loss"],"length":256}""", "'length' is 256, but the model of 'model' has 128 positions")]
    [InlineData("""{"tasks":["validation-loss"],"split":"validation"}""", "no validation text")]
    [InlineData("""{"tasks":["multiple-choice"]}""", "no multiple-choice items")]
    [InlineData("""{"tasks":["validation-loss"],"baseline":"nobody"}""", "'baseline' is 'nobody'")]
    [InlineData("""{"tasks":["logits"]}""", "needs 'tokens'")]
    [InlineData("""{"tasks":["logits"],"tokens":[[1,300]]}""", "the id 300")]
    [InlineData("""{"tasks":["logits"],"tokens":[[1,2],[3]]}""", "all of one length")]
    [InlineData("""{"tasks":[]}""", "'tasks' is empty")]
    public async Task Run_BadInput_SaysWhatToChange(string options, string message)
    {
        var model = await _bench.ModelAsync(Tiny);

        (await Should.ThrowAsync<UserInputException>(() => RunAsync(options, ("model", model)))).Message.ShouldContain(message);
    }

    [Fact]
    public async Task Run_WeightsThatAreNotNumbers_NamesModelAndTensor()
    {
        var model = await _bench.ModelAsync(Tiny, edit: (name, value) =>
        {
            if (name == TensorNames.Router(1))
                value.view(-1).narrow(0, 3, 1).fill_(double.NaN);
        });

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync("""{"tasks":["validation-loss"]}""", ("grown", model)));

        error.Message.ShouldContain("model of 'grown'");
        error.Message.ShouldContain(TensorNames.Router(1));
    }

    [Fact]
    public async Task Run_LeavesNoTensorAlive()
    {
        var model = await _bench.ModelAsync(Tiny);
        const string Options = """{"tasks":["validation-loss","routing"],"length":32,"resamples":100,"xz":false}""";
        await RunAsync(Options, ("model", model));
        var before = TorchRuntime.LiveTensorCount;

        await RunAsync(Options, ("model", model));

        TorchRuntime.LiveTensorCount.ShouldBe(before);
    }

    // Bytes as tokens, and <s> with the id 257 in front of every text.
    private static Dictionary<string, byte[]> WithBegin()
    {
        var files = new Dictionary<string, byte[]>(Tokenizers.ByteLevelBpe.OfBytes().Files);
        files["tokenizer_config.json"] = """
            {"tokenizer_class":"LlamaTokenizer","add_bos_token":true,"bos_token":"<s>","eos_token":"<|endoftext|>",
             "added_tokens_decoder":{"256":{"content":"<|endoftext|>","special":true},"257":{"content":"<s>","special":true}}}
            """u8.ToArray();
        return files;
    }

    // Attention adds nothing, so a prediction depends on the current token alone.
    private Task<ManifestRef> MemorylessAsync() => _bench.ModelAsync(Tiny, edit: (name, value) =>
    {
        Sharpen(name, value);
        if (name.EndsWith("o_proj.weight", StringComparison.Ordinal))
            value.zero_();
    });

    // Fresh weights predict almost evenly; larger ones have opinions.
    private static void Sharpen(string name, Tensor value)
    {
        if (!name.EndsWith("norm.weight", StringComparison.Ordinal))
            value.mul_(10);
    }

    private Task<StageResult> RunAsync(string options, params (string Step, ManifestRef Model)[] models) => RunAsync(options, null, models);

    private Task<StageResult> RunAsync(string options, IReadOnlyList<MultipleChoiceItem>? items, params (string Step, ManifestRef Model)[] models) =>
        RunAsync(options, items, keepCursor: false, models);

    private async Task<StageResult> RunAsync(
        string options, IReadOnlyList<MultipleChoiceItem>? items, bool keepCursor, params (string Step, ManifestRef Model)[] models)
    {
        if (!keepCursor)
            _bench.Cursor.Clear();
        var data = await _bench.DatasetAsync(
            new Dictionary<string, IReadOnlyList<string>>
            {
                ["held-out/code"] = [.. Enumerable.Range(0, 9).Select(i => $"for (var i = {i}; i < {i * i}; i++) sum += values[i];")],
                ["held-out/prose"] = [.. Enumerable.Range(0, 7).Select(i => $"Document {i}: wie weit würdest du gehen? {new string((char)('a' + i), 3 * i)}.")],
            },
            items is null ? null : new Dictionary<string, IReadOnlyList<MultipleChoiceItem>> { ["questions"] = items });
        StepInput[] inputs = [.. models.Select(m => new StepInput(m.Step, "model", m.Model)), new StepInput("data", "data", data)];
        return await new EvaluateStage().RunAsync(_bench.Context(options, inputs), default);
    }

    private async Task<EvaluationReport> ReportAsync(StageResult result) =>
        JsonSerializer.Deserialize<EvaluationReport>((await _bench.OpenAsync(result.Outputs["report"])).ReadFile("report.json"), WireJson.Options)!;
}
