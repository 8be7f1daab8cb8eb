using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Surgery;
using Espalier.TestKit.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Tests;

public sealed class PruneStageTests
{
    private const string Calibration = "\"calibration\":{\"data\":\"file:words\",\"samples\":8,\"length\":32,\"batch\":4}";
    private const string Heapr = "{\"method\":\"heapr\",\"ratio\":0.34,\"seed\":1," + Calibration + "}";
    private const string Frequency = "{\"method\":\"frequency\",\"ratio\":0.25,\"seed\":1," + Calibration + "}";

    [Theory]
    [InlineData("{\"method\":\"random\",\"ratio\":0,\"seed\":1}")]
    [InlineData("{\"method\":\"random\",\"granularity\":\"neuron\",\"ratio\":0,\"seed\":1}")]
    [InlineData("{\"method\":\"heapr\",\"ratio\":0,\"seed\":1," + Calibration + "}")]
    public async Task Run_RatioZero_ReturnsTheSameBytes(string options)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await RunAsync(tiny, options);

        var (before, after) = (await tiny.Store.ReadAsync(tiny.Model.Root, default), await tiny.Store.ReadAsync(result.Outputs["model"].Root, default));
        after.Tensors.Select(t => (t.Name, t.Blob, t.Offset)).ShouldBe(before.Tensors.Select(t => (t.Name, t.Blob, t.Offset)));
        after.Files.ShouldBe(before.Files);
        result.Metrics["ratio"].ShouldBe(0);
    }

    [Theory]
    [InlineData("F32", true)]
    [InlineData("F32", false)]
    [InlineData("BF16", false)]
    public async Task Run_Neurons_SlicedModelEqualsMaskedModel(string dtype, bool normalize)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { NormalizeTopK = normalize }, dtype);
        await tiny.AddCalibrationAsync();

        var result = await RunAsync(tiny, Heapr);

        var kept = (await tiny.ReportAsync(result)).GetProperty("layers");
        (await DifferenceAsync(tiny, result, decoder =>
        {
            for (var layer = 0; layer < 2; layer++)
                for (var expert = 0; expert < 4; expert++)
                    Zero(decoder, layer, expert, [.. kept[layer].GetProperty("kept-neurons")[expert].EnumerateArray().Select(n => n.GetInt32())]);
        })).ShouldBeLessThan(1e-5);
        (await tiny.OpenAsync(result.Outputs["model"])).Config.ExpertSize.ShouldBe(16);
    }

    [Fact]
    public async Task Run_NeuronsGlobally_PaddedModelEqualsMaskedModel()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();

        var result = await RunAsync(tiny, Heapr.Replace(
            "\"seed\"", "\"scope\":\"global\",\"weighting\":\"total\",\"variant\":\"exact\",\"multiple-of\":1,\"seed\"", StringComparison.Ordinal));

        var layers = (await tiny.ReportAsync(result)).GetProperty("layers");
        var kept = layers.EnumerateArray().SelectMany(l => l.GetProperty("kept-neurons").EnumerateArray().Select(n => n.GetArrayLength())).ToList();
        kept.Sum().ShouldBe(2 * 4 * 24 - (int)(0.34 * 2 * 4 * 24));
        (await DifferenceAsync(tiny, result, decoder =>
        {
            for (var layer = 0; layer < 2; layer++)
                for (var expert = 0; expert < 4; expert++)
                    Zero(decoder, layer, expert, [.. layers[layer].GetProperty("kept-neurons")[expert].EnumerateArray().Select(n => n.GetInt32())]);
        })).ShouldBeLessThan(1e-5);
        (await tiny.OpenAsync(result.Outputs["model"])).Config.ExpertSize.ShouldBe(kept.Max());
        result.Metrics["ratio"].ShouldBe(1 - kept.Sum() / (2.0 * 4 * 24), 1e-12);
        result.Metrics["stored-ratio"].ShouldBe(1 - kept.Max() / 24.0, 1e-12);
    }

    [Fact]
    public async Task Run_TextShorterThanAsked_UsesEachTokenOnceAndSaysSo()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();

        var result = await RunAsync(tiny, Frequency.Replace("\"samples\":8,\"length\":32", "\"samples\":5000,\"length\":64", StringComparison.Ordinal));

        var report = await tiny.ReportAsync(result);
        var text = report.GetProperty("calibration");
        var samples = (int)(text.GetProperty("text-tokens").GetInt64() / 64);
        samples.ShouldBeInRange(10, 1000);
        text.GetProperty("samples").GetInt32().ShouldBe(samples);
        text.GetProperty("samples-asked").GetInt32().ShouldBe(5000);
        report.GetProperty("layers")[0].GetProperty("tokens-per-expert").EnumerateArray().Sum(t => t.GetInt64()).ShouldBe(samples * 64 * 2);
        report.GetProperty("notes")[0].GetString().ShouldBe(tiny.Progress.Lines.Single(line => line.Contains("sequences", StringComparison.Ordinal)));
        tiny.Progress.Lines.ShouldContain(line => line.StartsWith($"The calibration text gives {samples} of the 5000 sequences", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("{\"layers\":[]}")]
    [InlineData("null")]
    public async Task Run_PositionOfSomethingElse_StartsAgain(string position)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();
        var expected = await RunAsync(tiny, Heapr);
        tiny.Cursor.Position = System.Text.Encoding.UTF8.GetBytes(position);

        var result = await RunAsync(tiny, Heapr);

        result.Outputs.ShouldBe(expected.Outputs);
        tiny.Progress.Lines.ShouldContain(line => line.Contains("starting again", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(true, ScoreFunction.Softmax)]
    [InlineData(false, ScoreFunction.Softmax)]
    [InlineData(true, ScoreFunction.Sigmoid)]
    public async Task Run_Experts_SlicedModelEqualsMaskedRouter(bool normalize, ScoreFunction score)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(
            ModelConfig.Tiny() with { NormalizeTopK = normalize, ScoreFunction = score }, routerBias: true, selectionBias: score == ScoreFunction.Softmax);
        await tiny.AddCalibrationAsync();

        var result = await RunAsync(tiny, Frequency);

        var layers = (await tiny.ReportAsync(result)).GetProperty("layers");
        (await DifferenceAsync(tiny, result, decoder =>
        {
            for (var layer = 0; layer < 2; layer++)
                foreach (var dropped in layers[layer].GetProperty("dropped-experts").EnumerateArray())
                {
                    decoder.RouterBias(layer)!.detach()[dropped.GetInt32()] = float.NegativeInfinity;
                    if (decoder.SelectionBias(layer) is { } selection)
                        selection[dropped.GetInt32()] = -1e9f; // a logit of minus infinity alone leaves a score of 0 plus its selection bias
                }
        })).ShouldBeLessThan(1e-5);
    }

    [Fact]
    public async Task Run_Frequency_DropsTheLeastUsedAndRenumbers()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();

        var result = await RunAsync(tiny, Frequency);

        var after = await tiny.OpenAsync(result.Outputs["model"]);
        after.Config.Experts.ShouldBe(3);
        foreach (var layer in (await tiny.ReportAsync(result)).GetProperty("layers").EnumerateArray())
        {
            var tokens = layer.GetProperty("tokens-per-expert").EnumerateArray().Select(t => t.GetInt64()).ToList();
            tokens.Sum().ShouldBe(8 * 32 * 2);
            layer.GetProperty("dropped-experts")[0].GetInt32().ShouldBe(tokens.IndexOf(tokens.Min()));
            var kept = layer.GetProperty("kept-experts").EnumerateArray().Select(e => e.GetInt32()).ToList();
            after.Manifest.Experts.Where(e => e.Layer == layer.GetProperty("layer").GetInt32()).Select(e => e.ParentExpert).ShouldBe(kept);
        }
        after.Manifest.Parents.ShouldHaveSingleItem().Relation.ShouldBe("pruned");
    }

    [Fact]
    public async Task Run_ProtectSuperExperts_KeepsTheOneWithMassiveOutputs()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(change: (name, values) =>
            name == TensorNames.Expert(0, 2, "down") ? [.. values.Select(v => 1000 * v)] : values);
        await tiny.AddCalibrationAsync();
        const string Options = "{\"method\":\"random\",\"ratio\":0.5,\"seed\":SEED,\"protect-super-experts\":true," + Calibration + "}";

        for (var seed = 0; seed < 4; seed++)
        {
            tiny.Cursor.Position = null;
            var result = await RunAsync(tiny, Options.Replace("SEED", $"{seed}", StringComparison.Ordinal));

            var layers = (await tiny.ReportAsync(result)).GetProperty("layers");
            layers[0].GetProperty("super-experts").EnumerateArray().Select(e => e.GetInt32()).ShouldBe([2]);
            layers[0].GetProperty("kept-experts").EnumerateArray().Select(e => e.GetInt32()).ShouldContain(2);
            result.Metrics["super-experts"].ShouldBe(1);
        }
        (await Should.ThrowAsync<UserInputException>(() => RunAsync(
            tiny, Heapr.Replace("\"seed\"", "\"protect-super-experts\":true,\"seed\"", StringComparison.Ordinal)))).Message.ShouldContain("Use scope global");
    }

    [Fact]
    public async Task Run_Heapr_AccountsForEveryParameter()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();

        var result = await RunAsync(tiny, Heapr);

        var manifest = await tiny.Store.ReadAsync(result.Outputs["model"].Root, default);
        result.Metrics["total-parameters"].ShouldBe(manifest.Tensors.Sum(t => t.SizeBytes) / sizeof(float));
        result.Metrics["ratio"].ShouldBe(1 - 16.0 / 24, 1e-12);
    }

    [Theory]
    [InlineData(Heapr)]
    [InlineData(Frequency)]
    [InlineData("{\"method\":\"random\",\"ratio\":0.25,\"seed\":1}")]
    [InlineData("{\"method\":\"random\",\"granularity\":\"neuron\",\"ratio\":0.34,\"seed\":1}")]
    public async Task Run_Twice_SameRoots(string options)
    {
        using var first = await TinyCheckpoint.CreateAsync();
        using var second = await TinyCheckpoint.CreateAsync();
        await first.AddCalibrationAsync();
        await second.AddCalibrationAsync();

        (await RunAsync(first, options)).Outputs.ShouldBe((await RunAsync(second, options)).Outputs);
    }

    [Fact]
    public async Task Run_NeuronsPermuted_KeepsThePermutedNeurons()
    {
        using var plain = await TinyCheckpoint.CreateAsync();
        using var permuted = await TinyCheckpoint.CreateAsync(change: (name, values) => ReverseNeurons(name, values, ModelConfig.Tiny()));
        await plain.AddCalibrationAsync();
        await permuted.AddCalibrationAsync();

        var (a, b) = (await ScoresAsync(plain), await ScoresAsync(permuted));

        for (var unit = 0; unit < a.Count; unit++)
            b[unit].ShouldBe(a[unit / 24 * 24 + 23 - unit % 24], 1e-4 * Math.Abs(b[unit]) + 1e-12);

        async Task<List<double>> ScoresAsync(TinyCheckpoint tiny) =>
            [.. (await tiny.ReportAsync(await RunAsync(tiny, Heapr), "scores.json"))[1].EnumerateArray().Select(s => s.GetDouble())];
    }

    [Fact]
    public async Task Run_KilledDuringCalibration_GoesOnAndGivesTheSameModel()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        using var undisturbed = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();
        await undisturbed.AddCalibrationAsync();
        using var cancel = new CancellationTokenSource();
        tiny.Progress.OnReport = (phase, done) =>
        {
            if (phase == "calibrating" && done == 6)
                cancel.Cancel();
        };
        await Should.ThrowAsync<OperationCanceledException>(() => new PruneStage().RunAsync(tiny.Context(Heapr), cancel.Token));
        tiny.Progress.OnReport = null;
        tiny.Progress.Reports.Clear();

        var result = await RunAsync(tiny, Heapr);

        tiny.Progress.Reports.Where(r => r.Phase == "calibrating").Select(r => r.Done).ShouldBe([6, 7], "one layer is done again at most");
        result.Outputs.ShouldBe((await RunAsync(undisturbed, Heapr)).Outputs);
    }

    [Fact]
    public async Task Run_ExpertThatNoTokenReaches_IsReported()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(routerBias: true, change: (name, values) =>
            name.EndsWith("gate.bias", StringComparison.Ordinal) ? [0, 0, 0, -1e4f] : values);
        await tiny.AddCalibrationAsync();

        var result = await RunAsync(tiny, Heapr);

        result.Metrics["unrouted-experts"].ShouldBe(2);
        result.Notes.ShouldContain(note => note.StartsWith("2 experts got no calibration token", StringComparison.Ordinal));
        (await tiny.ReportAsync(result)).GetProperty("layers")[0].GetProperty("unrouted-experts")[0].GetInt32().ShouldBe(3);
    }

    [Theory]
    [InlineData("{\"method\":\"heapr\",\"ratio\":0.3}", "add calibration")]
    [InlineData("{\"method\":\"frequency\",\"granularity\":\"neuron\",\"ratio\":0.3," + Calibration + "}", "use camera-p or heapr or random or weight-power")]
    [InlineData("{\"method\":\"heapr\",\"granularity\":\"expert\",\"ratio\":0.3," + Calibration + "}",
        "easy-ep or frequency or man or msan or random or reap or tcess or weight-power")]
    [InlineData("{\"method\":\"random\",\"scope\":\"global\",\"ratio\":0.3}", "Use scope uniform")]
    [InlineData("{\"method\":\"random\",\"ratio\":0.75}", "Use at most 0.5")]
    [InlineData("{\"method\":\"wonder\",\"ratio\":0.5}",
        "Choose one of: camera-p, easy-ep, frequency, heapr, magnitude, man, msan, random, reap, tcess, two-four, wanda, weight-power")]
    public async Task Run_CombinationThatCannotWork_SaysWhatWould(string options, string remedy)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync(tiny, options));

        error.Message.ShouldContain(remedy);
    }

    [Fact]
    public async Task Run_NanInAnExpert_NamesTheTensor()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(change: (name, values) =>
        {
            if (name == TensorNames.Expert(1, 2, "down"))
                values[7] = float.PositiveInfinity;
            return values;
        });

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync(tiny, "{\"method\":\"random\",\"granularity\":\"neuron\",\"ratio\":0.34}"));

        error.Message.ShouldContain("model.layers.1.mlp.experts.2.down_proj.weight");
    }

    [Fact]
    public async Task Run_SiblingGroups_AreCutAndRenumbered()
    {
        var groups = new List<IReadOnlyList<int>> { new[] { 0, 1, 0, 1 }, new[] { 0, 1, 2, 0 } };
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { SiblingGroups = groups });

        var result = await RunAsync(tiny, "{\"method\":\"random\",\"ratio\":0.5,\"seed\":4}");

        var config = (await tiny.OpenAsync(result.Outputs["model"])).Config;
        config.Experts.ShouldBe(2);
        config.SiblingGroups!.ShouldAllBe(layer => layer.Count == 2 && layer[0] == 0);
    }

    private static Task<StageResult> RunAsync(TinyCheckpoint tiny, string options) => new PruneStage().RunAsync(tiny.Context(options), default);

    private static async Task<double> DifferenceAsync(TinyCheckpoint tiny, StageResult result, Action<MoeDecoder> mask)
    {
        using var full = DecoderFiles.LoadDecoder((await tiny.OpenAsync(tiny.Model)).Reader, "source");
        using var sliced = DecoderFiles.LoadDecoder((await tiny.OpenAsync(result.Outputs["model"])).Reader, "pruned");
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var tokens = randint(0, 256, [4, 32], dtype: int64, generator: new Generator(7));
        var unmasked = full.Forward(tokens).Logits;
        mask(full);
        var masked = full.Forward(tokens).Logits;
        (masked - unmasked).abs().max().item<float>().ShouldBeGreaterThan(1e-3f);
        return (sliced.Forward(tokens).Logits - masked).abs().max().item<float>();
    }

    private static void Zero(MoeDecoder decoder, int layer, int expert, IReadOnlyCollection<int> kept)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var down = decoder.GetExpert(layer, expert).Down;
        for (var neuron = 0; neuron < decoder.Config.ExpertSize; neuron++)
            if (!kept.Contains(neuron))
                down.select(1, neuron).zero_();
    }

    private static float[] ReverseNeurons(string name, float[] values, ModelConfig config)
    {
        if (!name.Contains(".experts.", StringComparison.Ordinal))
            return values;
        var (h, f) = (config.HiddenSize, config.ExpertSize);
        return name.Contains("down_proj", StringComparison.Ordinal)
            ? [.. Enumerable.Range(0, h * f).Select(i => values[i / f * f + f - 1 - i % f])]
            : [.. Enumerable.Range(0, h * f).Select(i => values[(f - 1 - i / h) * h + i % h])];
    }
}
