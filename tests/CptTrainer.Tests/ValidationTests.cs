using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.TestKit.Models;
using Espalier.Surgery.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.CptTrainer.Tests;

/// <summary>Losses on held-out text while training.</summary>
public sealed class ValidationTests : IDisposable
{
    private const string Validate = """{"validate":{"every":320,"tokens":40},"tokens":1280}"""; // 20 steps of 64 tokens
    private readonly TrainingBench _bench = new();

    public void Dispose() => _bench.Dispose();

    [Fact]
    public async Task Run_Measured_TrainsTheSameModel()
    {
        var data = await DataAsync();

        var alone = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options("""{"tokens":1280}""")));
        var measured = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(Validate)));

        measured.Outputs["model"].ShouldBe(alone.Outputs["model"]);
        measured.Outputs["report"].ShouldNotBe(alone.Outputs["report"]);
    }

    [Fact]
    public async Task Run_FromAModel_TellsWhatItForgotOfEachDomain()
    {
        var data = await DataAsync();
        using var source = MoeDecoder.Create(ModelConfig.Tiny(257), 1);
        var start = new StepInput("base", "model", await _bench.AddModelAsync(source));

        var result = await TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(Validate, model: null), null, null, start));

        var points = (await _bench.ReportAsync(result))["held-out"]!.AsArray();
        points.Select(p => p!["step"]!.GetValue<long>()).ShouldBe([0, 5, 10, 15, 20]);
        foreach (var domain in (string[])["letters", "numbers", "both"])
        {
            result.Metrics[$"forgetting.{domain}"].ShouldBe(Loss(points[^1]!, domain) - Loss(points[0]!, domain), 1e-12);
            result.Metrics[$"held-out-loss.{domain}"].ShouldBe(Loss(points[^1]!, domain));
        }
        Loss(points[0]!, "letters").ShouldBe(await ExpectedAsync(start.Artifact, "xyz xyz "), 1e-5);
        var last = (await _bench.ReportAsync(result))["history"]!.AsArray()[^1]!;
        last["forgetting.numbers"]!.GetValue<double>().ShouldBe(result.Metrics["forgetting.numbers"]);

        static double Loss(System.Text.Json.Nodes.JsonNode point, string domain) => point["domains"]![domain]!.GetValue<double>();
    }

    [Fact]
    public async Task Run_FromScratch_HasForgottenNothing()
    {
        var result = await TrainingBench.RunAsync(_bench.Context(await DataAsync(), TrainingBench.Options(Validate)));

        result.Metrics.Keys.ShouldContain("held-out-loss.letters");
        result.Metrics.Keys.ShouldNotContain(name => name.StartsWith("forgetting", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Run_StoppedAndResumed_MeasuresTheSame()
    {
        var data = await DataAsync();
        var options = TrainingBench.Options("""{"validate":{"every":192,"tokens":40},"tokens":1280,"checkpoint-steps":4}""");
        var whole = await TrainingBench.RunAsync(_bench.Context(data, options));
        var cursor = new MemoryCursor { StopAfter = 2 };

        await Should.ThrowAsync<Exception>(() => TrainingBench.RunAsync(_bench.Context(data, options, cursor)));
        var resumed = await TrainingBench.RunAsync(_bench.Context(data, options, cursor));

        resumed.Outputs.ShouldBe(whole.Outputs);
        resumed.Metrics.ShouldBe(whole.Metrics);
    }

    [Fact]
    public async Task Run_NoHeldOutText_SaysWhatToDo()
    {
        var data = await _bench.AddRepetitiveDatasetAsync();

        (await Should.ThrowAsync<UserInputException>(() => TrainingBench.RunAsync(_bench.Context(data, TrainingBench.Options(Validate)))))
            .Message.ShouldContain("leave 'validate' out");
    }

    private Task<ManifestRef> DataAsync() => _bench.AddPartsAsync(
        "corpus:both",
        ("train/letters", [.. Enumerable.Range(0, 20).Select(i => $"abc{i % 3} abc abc abc abc ")]),
        ("train/numbers", [.. Enumerable.Range(0, 20).Select(i => $"123 1{i % 3}3 123 123 ")]),
        ("held-out/letters", ["xyz xyz "]),
        ("held-out/numbers", ["321 321 321 ", "1 2 3"]));

    // The text and the end token behind it, an end token before it, in one window of 9 tokens.
    private async Task<double> ExpectedAsync(ManifestRef model, string text)
    {
        using var decoder = DecoderFiles.LoadDecoder(await CheckpointReader.OpenAsync(_bench.Store, model, default), "model", float32, CPU);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        long[] ids = [256, .. text.Select(c => (long)c), 256];
        var logits = decoder.Forward(tensor(ids[..^1], [1, ids.Length - 1])).Logits.squeeze(0);
        return nn.functional.cross_entropy(logits, tensor(ids[1..])).item<float>();
    }
}
