using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.TestKit.Models;
using Espalier.Upcycler.Methods.Models;

namespace Espalier.Upcycler.Tests.Methods;

public sealed class DepthStackingTests
{
    [Fact]
    public async Task Stack_EveryLayer_IsItsSourceByteForByte()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(selectionBias: true);

        var (result, difference) = await GrownModels.GrowAsync(tiny, """{"method":"depth","factor":3,"seed":1}""");

        difference.ShouldBeGreaterThan(0.01);
        var (before, after) = (await tiny.OpenAsync(tiny.Model), await tiny.OpenAsync(result.Outputs["model"]));
        after.Config.Layers.ShouldBe(6);
        foreach (var tensor in after.Manifest.Tensors.Where(t => t.Name.StartsWith("model.layers.", StringComparison.Ordinal)))
        {
            var parts = tensor.Name.Split('.');
            var layer = int.Parse(parts[2], System.Globalization.CultureInfo.InvariantCulture);
            parts[2] = $"{layer % 2}";
            after.Read(tensor).ShouldBe(before.Read(before.Tensor(string.Join('.', parts))), tensor.Name);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Zero_AddedLayers_KeepLogits(bool isDense)
    {
        using var tiny = isDense ? await GrownModels.StoreAsync(GrownModels.Dense("qwen2")) : await TinyCheckpoint.CreateAsync();

        var (result, difference) = await GrownModels.GrowAsync(tiny, """{"method":"depth","factor":4,"start":"zero","seed":1}""");

        difference.ShouldBeLessThan(1e-5);
        (await tiny.OpenAsync(result.Outputs["model"])).Config.Layers.ShouldBe(8);
    }

    [Fact]
    public async Task Stack_LayersWithAWindow_EachCopyKeepsItsOwn()
    {
        var source = GrownModels.Dense("qwen2") with { SlidingWindow = 3, WindowedLayers = [1] };
        using var tiny = await GrownModels.StoreAsync(source);

        var (result, difference) = await GrownModels.GrowAsync(tiny, """{"method":"depth","start":"zero","seed":1}""");

        difference.ShouldBeLessThan(1e-5);
        var config = (await tiny.OpenAsync(result.Outputs["model"])).Reader.ReadFile("config.json");
        ModelConfig.Parse(config).WindowedLayers.ShouldBe([1, 3]);
        JsonNode.Parse(config)!["layer_types"]!.AsArray().Select(type => (string)type!)
            .ShouldBe(["full_attention", "sliding_attention", "full_attention", "sliding_attention"]);
        result.Notes.ShouldHaveSingleItem().ShouldContain("layer_types");
    }

    [Theory]
    [InlineData("repeat", new[] { 0, 3 }, 6, 1)]
    [InlineData("once", new[] { 0 }, 5, 0)]
    public async Task Leading_DenseLayers_StayOnceOnRequest(string leading, int[] dense, int layers, int notes)
    {
        var source = ModelConfig.Tiny() with
        {
            Family = "deepseek", QueryKeyNorm = QueryKeyNorm.None, InitializerRange = 0.2, Layers = 3, DenseLayers = [0], DenseSize = 40, SharedSize = 48,
        };
        using var tiny = await GrownModels.StoreAsync(source);

        var (result, difference) = await GrownModels.GrowAsync(tiny, $$"""{"method":"depth","start":"zero","leading":"{{leading}}","seed":1}""");

        difference.ShouldBeLessThan(1e-5);
        result.Notes.Count.ShouldBe(notes);
        var (before, after) = (await tiny.OpenAsync(tiny.Inputs[0].Artifact), await tiny.OpenAsync(result.Outputs["model"]));
        after.Config.Layers.ShouldBe(layers);
        after.Config.DenseLayers.ShouldBe(dense);
        var last = after.Manifest.Experts.Single(origin => origin.Layer == layers - 1 && origin.Expert == 0);
        last.ParentLayer.ShouldBe(2);
        after.Read(after.Projection(layers - 1, 0, "up")).ShouldBe(before.Read(before.Projection(2, 0, "up")));
    }

    [Fact]
    public async Task Leading_WithoutDenseLayersAtTheStart_IsRefused()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        (await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, """{"method":"depth","leading":"once"}"""))).Message.ShouldContain(
            "Leave 'leading' out");
    }

    [Fact]
    public async Task Stack_TotalTokens_ReportsWhenToStack()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await UpcycleStageTests.RunAsync(tiny, """{"method":"depth","total-tokens":1000000000}""");

        result.Metrics["recommended-tokens-before"].ShouldBe(StackTiming.SmallModelTokens(result.Metrics["total-parameters"], 1e9));
    }

    [Theory]
    [InlineData(8e9, 15e12, 6.58e9)]
    [InlineData(7e9, 2e12, 11.1e9)]
    public void Timing_PublishedCases_AreReproduced(double parameters, double tokens, double expected) =>
        StackTiming.SmallModelTokens(parameters, tokens).ShouldBe(expected, expected * 0.01);

    [Fact]
    public async Task Depth_TooManyLayers_SaysHowMany()
    {
        using var tiny = await GrownModels.StoreAsync(ModelConfig.Tiny() with { Layers = 20 });

        (await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, """{"method":"depth","factor":64}"""))).Message.ShouldContain(
            "at most 51");
    }
}
