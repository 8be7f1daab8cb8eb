using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery;
using Espalier.TestKit.Models;

namespace Espalier.Upcycler.Tests;

public sealed class UpcycleStageTests
{
    private const string PlainCopy = """{"method":"copy","router":{"method":"copy-noise"},"seed":1}""";

    [Theory]
    [InlineData("F32")]
    [InlineData("BF16")]
    [InlineData("F16")]
    public async Task Run_Copy_KeepsSourceBytesAndNamesThemForCopies(string dtype)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(dtype: dtype);

        var result = await RunAsync(tiny, PlainCopy);

        var (before, after) = (await tiny.OpenAsync(tiny.Model), await tiny.OpenAsync(result.Outputs["model"]));
        after.Config.Experts.ShouldBe(8);
        after.Config.ExpertsPerToken.ShouldBe(2);
        after.Others.Select(t => (t.Name, Place(t))).ShouldBe(before.Others.Select(t => (t.Name, Place(t))));
        for (var layer = 0; layer < 2; layer++)
            for (var expert = 0; expert < 8; expert++)
                foreach (var projection in (string[])["gate", "up", "down"])
                    Place(after.Projection(layer, expert, projection)).ShouldBe(Place(before.Projection(layer, expert % 4, projection)));
        after.Router(0).DType.ShouldBe(dtype);
        after.Read(after.Router(0)).AsSpan(0, (int)before.Router(0).SizeBytes).ToArray().ShouldBe(before.Read(before.Router(0)));

        static (Digest, long) Place(Artifacts.Manifests.TensorEntry t) => (t.Blob, t.Offset);
    }

    [Fact]
    public async Task Run_Copy_CountsParametersAndNewBytes()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await RunAsync(tiny, PlainCopy);

        var (config, layers, copies) = (tiny.Config, 2, 4);
        result.Metrics["experts"].ShouldBe(8);
        result.Metrics["total-parameters"].ShouldBe(config.TotalParameters + layers * copies * (3 * config.HiddenSize * config.ExpertSize + config.HiddenSize));
        result.Metrics["active-parameters"].ShouldBe(config.ActiveParameters + layers * copies * config.HiddenSize);
        var manifest = await tiny.Store.ReadAsync(result.Outputs["model"].Root, default);
        var routers = layers * 8 * config.HiddenSize * sizeof(float);
        var configFile = manifest.Files.Single(f => f.Path == "config.json").SizeBytes;
        result.Metrics["bytes-new"].ShouldBe(routers + configFile + CanonicalJson.Serialize(manifest).Length);
    }

    [Fact]
    public async Task Run_Copy_WritesGenealogy()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await RunAsync(tiny, """{"method":"copy","multiplier":4,"seed":1}""");

        var manifest = await tiny.Store.ReadAsync(result.Outputs["model"].Root, default);
        var parent = manifest.Parents.ShouldHaveSingleItem();
        (parent.Manifest, parent.Relation).ShouldBe((tiny.Model.Root, "upcycled"));
        manifest.Experts.Count.ShouldBe(2 * 16);
        manifest.Experts.Where(e => e.Layer == 1).CountBy(e => e.ParentExpert).ShouldAllBe(c => c.Value == 4);
        manifest.Experts.ShouldAllBe(e => e.Parent == tiny.Model.Root && e.ParentLayer == e.Layer);
    }

    [Fact]
    public async Task Run_Twice_SameRoots()
    {
        using var first = await TinyCheckpoint.CreateAsync();
        using var second = await TinyCheckpoint.CreateAsync();

        var (a, b) = (await RunAsync(first, PlainCopy), await RunAsync(second, PlainCopy));

        a.Outputs.ShouldBe(b.Outputs);
    }

    [Fact]
    public async Task Run_OtherSeed_OtherNoise()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var (a, b) = (await RunAsync(tiny, PlainCopy), await RunAsync(tiny, PlainCopy.Replace("\"seed\":1", "\"seed\":2", StringComparison.Ordinal)));

        a.Outputs["model"].ShouldNotBe(b.Outputs["model"]);
    }

    [Fact]
    public async Task Run_UtilityByWeightNorm_CopiesTheLargestExperts()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(change: (name, values) =>
            name.Contains("experts.2.", StringComparison.Ordinal) ? [.. values.Select(v => 3 * v)] : values);

        var result = await RunAsync(tiny,
            """
            {
              "method": "utility", "metric": "weight-norm", "combine": "fc1-only", "selection": "greedy", "max-copies": 3, "multiplier": 2,
              "router": { "method": "copy" }, "optimizer-state": "reset", "seed": 1
            }
            """);

        var report = await tiny.ReportAsync(result);
        foreach (var layer in report.GetProperty("layers").EnumerateArray())
        {
            var sources = layer.GetProperty("source-of").EnumerateArray().Select(s => s.GetInt32()).ToList();
            sources[4..7].ShouldBe([2, 2, 2]);
            layer.GetProperty("doublings")[0].GetProperty("scores").GetArrayLength().ShouldBe(4);
        }
    }

    [Fact]
    public async Task Run_WeightNorm_IsTheNormOfGateAndUpTogether()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await RunAsync(tiny, """{"metric":"weight-norm","seed":1}""");

        var source = await tiny.OpenAsync(tiny.Model);
        var expected = Math.Sqrt(new[] { "gate", "up" }.Sum(p => source.ReadFloats(source.Projection(1, 3, p)).Sum(v => (double)v * v)));
        var layer = (await tiny.ReportAsync(result)).GetProperty("layers")[1];
        layer.GetProperty("doublings")[0].GetProperty("scores")[3].GetDouble().ShouldBe(expected, 1e-9);
    }

    [Fact]
    public async Task Run_BiasOnlyWithoutBias_CreatesOneWithNoiseOnCopiesOnly()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(dtype: "BF16");

        var result = await RunAsync(tiny, """{"method":"copy","router":{"method":"bias-only"},"seed":1}""");

        var after = await tiny.OpenAsync(result.Outputs["model"]);
        var bias = after.ReadFloats(after.RouterBias(0)!);
        after.RouterBias(0)!.DType.ShouldBe("F32");
        bias.Take(4).ShouldAllBe(b => b == 0);
        bias.Skip(4).ShouldAllBe(b => b != 0 && Math.Abs(b) <= 1e-3f);
        bias.Skip(4).Distinct().Count().ShouldBe(4);
    }

    [Fact]
    public async Task Run_SelectionBias_IsCopiedByOrder()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(selectionBias: true);

        var result = await RunAsync(tiny, """{"metric":"weight-norm","router":{"method":"bias-only"},"seed":1}""");

        var (before, after) = (await tiny.OpenAsync(tiny.Model), await tiny.OpenAsync(result.Outputs["model"]));
        var (source, grown) = (before.ReadFloats(before.SelectionBias(1)!), after.ReadFloats(after.SelectionBias(1)!));
        grown.ShouldBe(after.Config.SiblingGroups![1].Select(s => source[s]));
    }

    [Fact]
    public async Task Run_UnknownConfigKey_Survives()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Parse(System.Text.Encoding.UTF8.GetBytes(
            System.Text.Encoding.UTF8.GetString(ModelConfig.Tiny().ToJson())
                .Replace("\"use_cache\"", "\"my_key\": 7, \"use_cache\"", StringComparison.Ordinal))));

        var result = await RunAsync(tiny, PlainCopy);

        var reader = await CheckpointReader.OpenAsync(tiny.Store, result.Outputs["model"], default);
        System.Text.Encoding.UTF8.GetString(reader.ReadFile("config.json")).ShouldContain("\"my_key\": 7");
        reader.HasFile("generation_config.json").ShouldBeTrue();
    }

    [Fact]
    public async Task Run_KilledAfterFirstLayer_GoesOnAtTheSecond()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        using var undisturbed = await TinyCheckpoint.CreateAsync();
        tiny.Progress.OnReport = (phase, done) =>
        {
            if (phase == "scoring experts" && done == 1)
                throw new OperationCanceledException("killed");
        };
        await Should.ThrowAsync<OperationCanceledException>(() => RunAsync(tiny, """{"seed":1}"""));
        tiny.Progress.OnReport = null;
        tiny.Progress.Reports.Clear();

        var result = await RunAsync(tiny, """{"seed":1}""");

        tiny.Progress.Reports.Where(r => r.Phase == "scoring experts").Select(r => r.Done).ShouldBe([1]);
        result.Outputs.ShouldBe((await RunAsync(undisturbed, """{"seed":1}""")).Outputs);
    }

    [Fact]
    public async Task Run_NoiseThatVanishesInTheElementType_IsRefused()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(dtype: "BF16");

        var error = await Should.ThrowAsync<UserInputException>(() =>
            RunAsync(tiny, """{"method":"copy","router":{"method":"copy-noise","noise":1e-9},"seed":1}"""));

        error.Message.ShouldContain("vanishes in BF16");
    }

    [Fact]
    public async Task Run_NanInAnExpert_NamesTheTensor()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(change: (name, values) =>
        {
            if (name == TensorNames.Expert(1, 2, "up"))
                values[5] = float.NaN;
            return values;
        });

        var error = await Should.ThrowAsync<UserInputException>(() => RunAsync(tiny, """{"metric":"weight-norm","seed":1}"""));

        error.Message.ShouldContain("'model.layers.1.mlp.experts.2.up_proj.weight' holds NaN at element 5");
    }

    [Fact]
    public async Task Run_ModelBySteps_GrowsTwice()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        var first = await RunAsync(tiny, PlainCopy);
        tiny.Inputs.Clear();
        tiny.Inputs.Add(new StepInput("grown", OutputNames.Model, first.Outputs["model"]));

        var second = await RunAsync(tiny, PlainCopy);

        second.Metrics["experts"].ShouldBe(16);
    }

    internal static Task<StageResult> RunAsync(TinyCheckpoint tiny, string options) =>
        new UpcycleStage().RunAsync(tiny.Context(options), default);
}
