using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.TestKit.Models;
using Espalier.Tokenizers;

namespace Espalier.CptTrainer.Tests;

/// <summary>Training steps that learn from a teacher.</summary>
public sealed class DistillationStageTests : IDisposable
{
    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Theory]
    [InlineData("{}")]
    [InlineData("""{"recompute":true,"precision":"bf16"}""")]
    public async Task Run_WithTeacherStoppedAndResumed_EndsInTheSameBits(string more)
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var teacher = await TeacherAsync();
        var options = TrainingBench.Options(
            """{"distill":{"weight":0.7,"temperature":2,"features":0.5},"accumulate":2,"checkpoint-steps":3,"tokens":1280}"""); // 10 steps
        foreach (var (key, value) in JsonNode.Parse(more)!.AsObject())
            options[key] = value!.DeepClone();
        var whole = await TrainingBench.RunAsync(_bench.Context(data, options, null, null, teacher));
        var cursor = new MemoryCursor { StopAfter = 2 };

        await Should.ThrowAsync<Exception>(() => TrainingBench.RunAsync(_bench.Context(data, options, cursor, null, teacher)));
        var resumed = await TrainingBench.RunAsync(_bench.Context(data, options, cursor, null, teacher));

        resumed.Outputs.ShouldBe(whole.Outputs);
        whole.Metrics["divergence"].ShouldBeGreaterThan(0);
        (await _bench.ReportAsync(whole))["history"]![0]!["feature-distance"]!.GetValue<double>().ShouldBeGreaterThan(0);
        var parents = (await _bench.Store.ReadAsync(whole.Outputs["model"].Root, default)).Parents;
        parents.ShouldContain(p => p.Relation == "teacher" && p.Manifest == teacher.Artifact.Root);
    }

    [Fact]
    public async Task Run_TeacherKnowsTheText_TeachesFasterThanTheTextAlone()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        var known = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"tokens":9600}""")));
        var teacher = new StepInput("big", "teacher", known.Outputs["model"]);

        var alone = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"seed":5}""")));
        var taught = await TrainingBench.RunAsync(_bench.Context(
            data, TrainingBench.Options("""{"seed":5,"distill":{"weight":0.9}}"""), null, null, teacher));

        taught.Metrics["train-loss"].ShouldBeLessThan(alone.Metrics["train-loss"]);
        taught.Metrics["operations"].ShouldBeGreaterThan(alone.Metrics["operations"]);
    }

    [Fact]
    public async Task Run_TeacherOfAnotherVocabulary_IsRefused() =>
        (await RefusalAsync(ModelConfig.Tiny(300), ByteLevelBpe.OfBytes().Files)).ShouldContain("vocabulary of 300 tokens");

    [Fact]
    public async Task Run_TeacherWithAnotherTokenizer_IsRefused()
    {
        var files = new Dictionary<string, byte[]>(ByteLevelBpe.OfBytes().Files);
        var tokenizer = JsonNode.Parse(files["tokenizer.json"])!;
        var vocabulary = tokenizer["model"]!["vocab"]!;
        (vocabulary["a"], vocabulary["b"]) = (vocabulary["b"]!.DeepClone(), vocabulary["a"]!.DeepClone());
        files["tokenizer.json"] = System.Text.Encoding.UTF8.GetBytes(tokenizer.ToJsonString());

        (await RefusalAsync(ModelConfig.Tiny(257), files)).ShouldContain("another tokenizer");
    }

    [Fact]
    public async Task Run_FeaturesOfAnotherWidth_AreRefused() =>
        (await RefusalAsync(
            ModelConfig.Tiny(257) with { Layers = 3 }, ByteLevelBpe.OfBytes().Files, """{"distill":{"features":1}}""")).ShouldContain("distill.features");

    private async Task<StepInput> TeacherAsync()
    {
        using var decoder = MoeDecoder.Create(ModelConfig.Tiny(257) with { Experts = 6, InitializerRange = 0.2 }, 8);
        return new StepInput("big", "teacher", await _bench.AddModelAsync(decoder));
    }

    private async Task<string> RefusalAsync(ModelConfig config, IReadOnlyDictionary<string, byte[]> files, string options = "{}")
    {
        var data = await _bench.AddRepetitiveDatasetAsync();
        using var decoder = MoeDecoder.Create(config, 8);
        var teacher = new StepInput("big", "teacher", await _bench.AddModelAsync(decoder, files));
        var progress = new TrainingProgress();
        var error = await Should.ThrowAsync<UserInputException>(() =>
            TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(options), null, progress, teacher)));
        progress.Reports.ShouldBeEmpty();
        return error.Message;
    }
}
