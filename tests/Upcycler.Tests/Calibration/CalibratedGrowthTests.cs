using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Surgery;
using Espalier.TestKit.Models;

namespace Espalier.Upcycler.Tests.Calibration;

/// <summary>Growth with calibration text and with the trainer's moments, through the stage.</summary>
public sealed class CalibratedGrowthTests : IDisposable
{
    private const string Text = "\"calibration\":{\"data\":\"file:words\",\"samples\":8,\"length\":32,\"batches\":4},\"seed\":1}";

    [Theory]
    [InlineData("gradient-squared")]
    [InlineData("weight-grad-product")]
    [InlineData("approx-fisher")]
    public async Task Run_GradientMetric_ScoresAndMeasures(string metric)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();
        await AddTrainerStateAsync(tiny);

        var result = await UpcycleStageTests.RunAsync(tiny, "{\"metric\":\"" + metric + "\",\"combine\":\"average\"," + Text);

        var layer = (await tiny.ReportAsync(result)).GetProperty("layers")[0];
        layer.GetProperty("doublings")[0].GetProperty("scores").EnumerateArray().ShouldAllBe(s => s.GetDouble() > 0);
        layer.GetProperty("calibration-tokens").EnumerateArray().Sum(t => t.GetInt64()).ShouldBe(8 * 32 * 2);
        result.Metrics["loss-after"].ShouldNotBe(result.Metrics["loss-before"]);
        result.Metrics["distinct-sources"].ShouldBeLessThan(2);
        result.Metrics["distinct-sources-before"].ShouldBe(2);
        result.Metrics["sibling-co-selection"].ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Run_ExactStart_MeasuresNoChange()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await tiny.AddCalibrationAsync();

        var result = await UpcycleStageTests.RunAsync(tiny, "{\"metric\":\"gradient-squared\",\"preserve\":\"sibling-exclusive\"," + Text);

        result.Metrics["largest-logit-difference"].ShouldBeLessThan(1e-5);
        result.Metrics["distinct-sources"].ShouldBe(2);
        result.Metrics["sibling-co-selection"].ShouldBe(0);
        result.Metrics["loss-after"].ShouldBe(result.Metrics["loss-before"], 1e-6);
    }

    [Fact]
    public async Task Run_GradientMetricTwice_SameRoots()
    {
        using var first = await TinyCheckpoint.CreateAsync();
        using var second = await TinyCheckpoint.CreateAsync();
        await first.AddCalibrationAsync();
        await second.AddCalibrationAsync();
        const string Options = "{\"metric\":\"gradient-squared\"," + Text;

        (await UpcycleStageTests.RunAsync(first, Options)).Outputs.ShouldBe((await UpcycleStageTests.RunAsync(second, Options)).Outputs);
    }

    [Theory]
    [InlineData("copy-noise", false)]
    [InlineData("bias-only", true)]
    public async Task Run_OptimizerStateCopy_EveryWeightHasItsSourcesMoments(string router, bool createsBias)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await AddTrainerStateAsync(tiny);

        var result = await UpcycleStageTests.RunAsync(
            tiny, $$$"""{"metric":"weight-norm","router":{"method":"{{{router}}}"},"optimizer-state":"copy","seed":1}""");

        var grown = await tiny.OpenAsync(result.Outputs["model"]);
        var before = await StateAsync(tiny.Inputs.Single(i => i.Output == "trainer-state").Artifact);
        var after = await StateAsync(result.Outputs["trainer-state"]);
        foreach (var tensor in grown.Manifest.Tensors)
            foreach (var moment in (string[])["exp_avg.", "exp_avg_sq."])
                after.Describe(moment + tensor.Name).Shape.ShouldBe(tensor.Shape);
        var sources = grown.Config.SiblingGroups![1];
        for (var expert = 0; expert < 8; expert++)
        {
            var name = $"exp_avg.model.layers.1.mlp.experts.{expert}.down_proj.weight";
            after.ReadAll(name).ShouldBe(before.ReadAll(name.Replace($".{expert}.", $".{sources[expert]}.", StringComparison.Ordinal)));
        }
        var row = 32 * sizeof(float);
        after.ReadAll("exp_avg_sq.model.layers.1.mlp.gate.weight").AsSpan(5 * row, row).ToArray()
            .ShouldBe(before.ReadAll("exp_avg_sq.model.layers.1.mlp.gate.weight").AsSpan(sources[5] * row, row).ToArray());
        after.Names.Contains("exp_avg.model.layers.0.mlp.gate.bias").ShouldBe(createsBias);
        after.Manifest.Properties!["optimizer-steps"]!.GetValue<long>().ShouldBe(20);

        async Task<CheckpointReader> StateAsync(ManifestRef state) => await CheckpointReader.OpenAsync(tiny.Store, state, default);
    }

    [Fact]
    public async Task Run_OptimizerStateResetNew_NewExpertsStartAtZeroWithStepsOfTheirOwn()
    {
        var (before, after, sources) = await GrowStateAsync("reset-new");

        foreach (var expert in (int[])[4, 7])
            after(Down(expert)).ShouldAllBe(v => v == 0);
        after(Down(1)).ShouldBe(before(Down(1)));
        after(Gate)[(4 * 32)..].ShouldAllBe(v => v == 0);
        after(Gate)[..(4 * 32)].ShouldBe(before(Gate));
        (await StepsAsync(sources)).ShouldBe([20, 20, 20, 20, 0, 0, 0, 0]);
    }

    [Fact]
    public async Task Run_OptimizerStateScaleOfExactCopies_HalvesAndKeepsTheSteps()
    {
        var (before, after, tiny) = await GrowStateAsync("scale");

        after(Down(5)).ShouldBe(before(Down(1)).Select(v => v * 0.5f));
        after("exp_avg_sq." + Down(5)["exp_avg.".Length..]).ShouldBe(before("exp_avg_sq." + Down(1)["exp_avg.".Length..]).Select(v => v * 0.5f));
        (await StepsAsync(tiny)).ShouldBeNull();
    }

    [Fact]
    public async Task Run_OptimizerStateScaleOfChangedExperts_ShrinksByTheChange()
    {
        var (before, after, _) = await GrowStateAsync("scale", ",\"duplication\":{\"method\":\"scaled-copy\",\"scale\":0.75}");

        var (down, source) = (after(Down(6)), before(Down(2)));
        for (var i = 0; i < down.Length; i++)
            down[i].ShouldBe(source[i] * 0.5f * 0.75f, 1e-5); // mean|W' - W| / mean|W| = 0.25
        after(Up(6)).ShouldBe(before(Up(2)).Select(v => v * 0.5f));

        static string Up(int expert) => Down(expert).Replace("down", "up", StringComparison.Ordinal);
    }

    [Fact]
    public async Task Run_OptimizerStateInterpolate_MixesWithTheNearestExpert()
    {
        var (before, after, tiny) = await GrowStateAsync("interpolate");

        var source = await tiny.OpenAsync(tiny.Model);
        var nearest = Espalier.Upcycler.Growth.Neighbors.BySimilarity(source.ReadFloats(source.Router(0)), 32)[3];
        nearest.ShouldNotBe(3);
        after(Down(7)).ShouldBe(before(Down(3)).Zip(before(Down(nearest)), (a, b) => 0.5f * a + 0.5f * b));
    }

    private const string Gate = "exp_avg.model.layers.0.mlp.gate.weight";

    private readonly List<TinyCheckpoint> _kept = [];

    private ManifestRef _state = null!;

    private static string Down(int expert) => $"exp_avg.model.layers.0.mlp.experts.{expert}.down_proj.weight";

    private async Task<(Func<string, float[]> Before, Func<string, float[]> After, TinyCheckpoint Tiny)> GrowStateAsync(string policy, string more = "")
    {
        var tiny = await TinyCheckpoint.CreateAsync();
        _kept.Add(tiny);
        await AddTrainerStateAsync(tiny);
        var result = await UpcycleStageTests.RunAsync(
            tiny, $$"""{"method":"copy","optimizer-state":"{{policy}}","router":{"method":"bias-only"},"seed":1{{more}}}""");
        _state = result.Outputs["trainer-state"];
        var before = await CheckpointReader.OpenAsync(tiny.Store, tiny.Inputs.Single(i => i.Output == "trainer-state").Artifact, default);
        var after = await CheckpointReader.OpenAsync(tiny.Store, _state, default);
        return (name => FloatBytes.ToFloats("F32", before.ReadAll(name)), name => FloatBytes.ToFloats("F32", after.ReadAll(name)), tiny);
    }

    private async Task<long[]?> StepsAsync(TinyCheckpoint tiny)
    {
        var state = await CheckpointReader.OpenAsync(tiny.Store, _state, default);
        var name = Espalier.Surgery.Checkpoints.TrainerStateNames.ExpertSteps(0);
        return state.Names.Contains(name) ? [.. state.ReadAll(name).Chunk(8).Select(b => BitConverter.ToInt64(b))] : null;
    }

    public void Dispose() => _kept.ForEach(tiny => tiny.Dispose());

    [Fact]
    public async Task Run_OptimizerStateReset_LeavesNoState()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await AddTrainerStateAsync(tiny);

        var result = await UpcycleStageTests.RunAsync(tiny, """{"seed":1}""");

        result.Outputs.Keys.Order().ShouldBe(["model", "report"]);
    }

    [Fact]
    public async Task Run_StateOfAnotherModel_NamesTheMissingTensor()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        using var writer = new CheckpointWriter(tiny.Store, ArtifactKind.TrainerState);
        tiny.Inputs.Add(new StepInput("base", OutputNames.TrainerState, await writer.CommitAsync(default)));

        var error = await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, """{"optimizer-state":"copy","seed":1}"""));

        error.Message.ShouldContain("belongs to another model");
    }

    /// <summary>Muon keeps no second moments of matrices, and so does what grows from its state.</summary>
    [Fact]
    public async Task Run_OptimizerStateOfMuon_HasTheMomentsThatItKeeps()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        await AddTrainerStateAsync(tiny, "muon");

        var result = await UpcycleStageTests.RunAsync(
            tiny, """{"metric":"weight-norm","router":{"method":"copy-noise"},"optimizer-state":"copy","seed":1}""");

        var state = await CheckpointReader.OpenAsync(tiny.Store, result.Outputs["trainer-state"], default);
        state.Names.ShouldContain("exp_avg.model.layers.0.mlp.experts.7.down_proj.weight");
        state.Names.ShouldNotContain("exp_avg_sq.model.layers.0.mlp.experts.7.down_proj.weight");
        state.Names.ShouldContain("exp_avg_sq.model.layers.0.mlp.gate.weight");
        state.Manifest.Properties!["optimizer"]!.GetValue<string>().ShouldBe("muon");
    }

    private static async Task AddTrainerStateAsync(TinyCheckpoint tiny, string? optimizer = null)
    {
        var model = await tiny.OpenAsync(tiny.Model);
        using var writer = new CheckpointWriter(tiny.Store, ArtifactKind.TrainerState);
        foreach (var tensor in model.Manifest.Tensors)
            foreach (var moment in (string[])["exp_avg.", "exp_avg_sq."])
            {
                if (optimizer == "muon" && moment == "exp_avg_sq." && tensor.Name.Contains("_proj.", StringComparison.Ordinal))
                    continue;
                var random = new KeyedRandom(9, 0, moment + tensor.Name);
                var values = new float[tensor.SizeBytes / sizeof(float)];
                for (var i = 0; i < values.Length; i++)
                    values[i] = (float)random.NextDouble();
                await writer.AddTensorAsync(moment + tensor.Name, "F32", tensor.Shape, FloatBytes.FromFloats("F32", values), default);
            }
        writer.SetProperties(optimizer is null ? new JsonObject { ["optimizer-steps"] = 20L }
            : new JsonObject { ["optimizer"] = optimizer, ["optimizer-steps"] = 20L });
        tiny.Inputs.Add(new StepInput("base", OutputNames.TrainerState, await writer.CommitAsync(default)));
    }
}
