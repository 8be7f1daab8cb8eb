using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.Surgery.Checkpoints;
using Espalier.Stages.Methods;
using Espalier.Surgery;
using Espalier.TestKit.Models;
using Espalier.Upcycler.Duplication;

namespace Espalier.Upcycler.Tests.Growth;

/// <summary>Growth whose new experts are no copies, through the stage.</summary>
public sealed class ChangedExpertsTests
{
    public static TheoryData<string> Duplications => [.. MethodCatalog<IExpertDuplication>.Names];

    [Theory]
    [MemberData(nameof(Duplications))]
    public async Task Run_EveryDuplication_KeepsSourcesAndLoads(string name)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(dtype: "BF16");

        var result = await UpcycleStageTests.RunAsync(tiny, $$"""{"method":"copy","duplication":{"method":"{{name}}"},"multiplier":4,"seed":1}""");

        var (before, after) = (await tiny.OpenAsync(tiny.Model), await tiny.OpenAsync(result.Outputs["model"]));
        for (var expert = 0; expert < 4; expert++)
            after.Read(after.Projection(1, expert, "up")).ShouldBe(before.Read(before.Projection(1, expert, "up")));
        var changed = Enumerable.Range(4, 12)
            .Count(e => !after.Read(after.Projection(1, e, "down")).SequenceEqual(before.Read(before.Projection(1, e % 4, "down"))));
        changed.ShouldBe(name == "copy" ? 0 : 12);
        after.Projection(0, 9, "gate").DType.ShouldBe("BF16");
        using var decoder = DecoderFiles.LoadDecoder(after.Reader, "grown");
        decoder.Config.Experts.ShouldBe(16);
    }

    [Fact]
    public async Task Run_ChangedExpertsTwice_SameRoots()
    {
        using var first = await TinyCheckpoint.CreateAsync();
        using var second = await TinyCheckpoint.CreateAsync();
        const string Options = """{"method":"copy","duplication":{"method":"svd-mix"},"seed":1}""";

        (await UpcycleStageTests.RunAsync(first, Options)).Outputs.ShouldBe((await UpcycleStageTests.RunAsync(second, Options)).Outputs);
    }

    [Fact]
    public async Task Run_TwoDoublingsAtOnce_AreTwoInARow()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(dtype: "BF16");
        const string Options = """{"method":"copy","router":{"method":"copy"},"allow-symmetry-lock":true,"duplication":{"method":"scaled-copy"},"seed":1}""";

        var once = await tiny.OpenAsync(
            (await UpcycleStageTests.RunAsync(tiny, Options.Replace("\"seed\"", "\"multiplier\":4,\"seed\"", StringComparison.Ordinal))).Outputs["model"]);
        var half = (await UpcycleStageTests.RunAsync(tiny, Options)).Outputs["model"];
        tiny.Inputs[0] = new StepInput("base", OutputNames.Model, half);
        var twice = await tiny.OpenAsync((await UpcycleStageTests.RunAsync(tiny, Options)).Outputs["model"]);

        for (var expert = 0; expert < 16; expert++)
            twice.Read(twice.Projection(1, expert, "down")).ShouldBe(once.Read(once.Projection(1, expert, "down")), $"expert {expert}");
    }

    [Fact]
    public async Task Run_Interpolate_NamesBothOrigins()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await UpcycleStageTests.RunAsync(tiny, """{"method":"copy","duplication":{"method":"interpolate","neighbor":"next"},"seed":1}""");

        var manifest = await tiny.Store.ReadAsync(result.Outputs["model"].Root, default);
        manifest.Experts.Where(e => e is { Layer: 0, Expert: 7 }).Select(e => e.ParentExpert).ShouldBe([3, 0]);
    }

    [Fact]
    public async Task Run_LayerPlans_GiveEachLayerItsOwn()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await UpcycleStageTests.RunAsync(tiny, """
            {"method":"copy","seed":1,"layer-plans":[{"layers":[1],"counts":[3,1,1,3],"duplication":{"method":"copy-noise"},"router":{"method":"bias-only"}}]}
            """);

        var (before, after) = (await tiny.OpenAsync(tiny.Model), await tiny.OpenAsync(result.Outputs["model"]));
        after.Config.SiblingGroups![0].ShouldBe([0, 1, 2, 3, 0, 1, 2, 3]);
        after.Config.SiblingGroups[1].ShouldBe([0, 1, 2, 3, 0, 3, 0, 3]);
        after.Projection(0, 5, "up").Blob.ShouldBe(before.Projection(0, 1, "up").Blob);
        after.Read(after.Projection(1, 5, "up")).ShouldNotBe(before.Read(before.Projection(1, 3, "up")));
        after.ReadFloats(after.RouterBias(0)!).ShouldBe(new float[8]); // a decoder has biases in all layers or in none
        using var decoder = DecoderFiles.LoadDecoder(after.Reader, "grown");
        decoder.Config.Experts.ShouldBe(8);
    }

    [Fact]
    public async Task Run_CountsToAnyNumber_Grow()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await UpcycleStageTests.RunAsync(tiny, """{"counts":[2,1,3,1],"seed":1}""");

        var after = await tiny.OpenAsync(result.Outputs["model"]);
        after.Config.Experts.ShouldBe(7);
        after.Config.SiblingGroups![1].ShouldBe([0, 1, 2, 3, 0, 2, 2]);
    }

    [Theory]
    [InlineData(ScoreFunction.Softmax, true, "frozen")]
    [InlineData(ScoreFunction.Softmax, false, "sibling-exclusive")]
    [InlineData(ScoreFunction.Sigmoid, true, "frozen")]
    [InlineData(ScoreFunction.Sigmoid, false, "sibling-exclusive")]
    public async Task Run_CountsWithExactStart_KeepLogits(ScoreFunction scores, bool normalize, string preserve)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { ScoreFunction = scores, NormalizeTopK = normalize }, selectionBias: true);

        (await ExactStartTests.DifferenceAsync(tiny, $$"""{"counts":[3,1,1,2],"preserve":"{{preserve}}","seed":1}""")).ShouldBeLessThan(1e-5);
    }

    [Fact]
    public async Task Run_ShuffledWithExactStart_KeepsLogits()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        (await ExactStartTests.DifferenceAsync(
            tiny, """{"method":"copy","preserve":"sibling-exclusive","duplication":{"method":"shuffle-columns"},"seed":1}""")).ShouldBeLessThan(1e-5);
    }

    [Fact]
    public async Task Run_BrokenLastLayer_WritesNothing()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();
        var source = await tiny.OpenAsync(tiny.Model);
        using var writer = new Artifacts.Checkpoints.CheckpointWriter(tiny.Store);
        foreach (var file in source.Manifest.Files)
            writer.AddExisting(file);
        foreach (var tensor in source.Manifest.Tensors.Where(t => t.Name != TensorNames.Expert(1, 2, "up")))
            writer.AddExisting(tensor);
        tiny.Inputs[0] = new StepInput("base", OutputNames.Model, await writer.CommitAsync(default));

        var error = await Should.ThrowAsync<UserInputException>(() =>
            UpcycleStageTests.RunAsync(tiny, """{"method":"copy","duplication":{"method":"copy-noise"}}"""));

        error.Message.ShouldContain("model.layers.1.mlp.experts.2.up_proj.weight");
        tiny.Progress.Reports.ShouldBeEmpty();
    }
}
