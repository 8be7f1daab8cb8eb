using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Upcycler.Planning;

namespace Espalier.Upcycler.Tests.Methods;

/// <summary>Expert growth of the families that have experts: shared experts and dense layers stay, gates follow the family's convention.</summary>
public sealed class GrownFamiliesTests
{
    [Theory]
    [InlineData("mixtral", "frozen")]
    [InlineData("mixtral", "wide")]
    [InlineData("qwen2_moe", "sibling-exclusive")]
    [InlineData("qwen3_moe", "frozen")]
    [InlineData("deepseek", "sibling-exclusive")]
    [InlineData("deepseek", "wide")]
    [InlineData("deepseek_v2", "wide")]
    [InlineData("deepseek_v2", "frozen")]
    [InlineData("deepseek_v3", "frozen")]
    public async Task Copy_ExactStart_KeepsLogits(string family, string preserve)
    {
        using var tiny = await GrownModels.StoreAsync(Family(family));

        var (result, difference) = await GrownModels.GrowAsync(tiny, $$"""{"method":"copy","preserve":"{{preserve}}","seed":1}""");

        difference.ShouldBeLessThan(1e-5);
        var grown = (await tiny.OpenAsync(result.Outputs["model"])).Config;
        (grown.Family, grown.Experts, grown.SharedSize).ShouldBe((family, 2 * Family(family).Experts, Family(family).SharedSize));
        grown.SparseLayers.ShouldBe(Family(family).SparseLayers);
    }

    [Theory]
    [InlineData("qwen2_moe")]
    [InlineData("deepseek")]
    [InlineData("deepseek_v2")]
    public async Task Split_Mixture_KeepsLogits(string family)
    {
        using var tiny = await GrownModels.StoreAsync(Family(family));

        (await GrownModels.GrowAsync(tiny, """{"method":"split","shards":2,"seed":1}""")).Difference.ShouldBeLessThan(1e-4);
    }

    [Fact]
    public async Task Depth_DenseFirstLayer_IsRepeatedToo()
    {
        using var tiny = await GrownModels.StoreAsync(Family("deepseek"));

        var (result, difference) = await GrownModels.GrowAsync(tiny, """{"method":"depth","start":"zero","seed":1}""");

        difference.ShouldBeLessThan(1e-5);
        (await tiny.OpenAsync(result.Outputs["model"])).Config.DenseLayers.ShouldBe([0, 2]);
    }

    [Theory]
    [InlineData("""{"method":"utility","max-copies":3,"router":{"method":"copy-noise"},"seed":1}""")]
    [InlineData("""{"method":"copy","multiplier":4,"router":{"method":"copy-noise"},"seed":1}""")]
    [InlineData("""{"method":"copy","counts":[3,1,1,3,2,2,3,1],"router":{"method":"copy-noise"},"seed":1}""")]
    public async Task Copies_OfGroupedExperts_StandInTheGroupOfTheirSource(string options)
    {
        using var tiny = await GrownModels.StoreAsync(Family("deepseek_v3"));

        var (result, _) = await GrownModels.GrowAsync(tiny, options);

        var (before, after) = (await tiny.OpenAsync(tiny.Inputs[0].Artifact), await tiny.OpenAsync(result.Outputs["model"]));
        foreach (var layer in after.Config.SparseLayers)
        {
            var (rows, grownRows) = (before.ReadFloats(before.Router(layer)), after.ReadFloats(after.Router(layer)));
            var (width, size) = (after.Config.HiddenSize, after.Config.Experts / after.Config.ExpertGroups);
            for (var expert = 0; expert < after.Config.Experts; expert++)
            {
                var source = after.Config.SiblingGroups![layer][expert];
                (source / 2).ShouldBe(expert / size, $"expert {expert} of layer {layer}, from {source}");
                after.Projection(layer, expert, "up").Blob.ShouldBe(before.Projection(layer, source, "up").Blob);
                after.Manifest.Experts.Single(o => o.Layer == layer && o.Expert == expert).ParentExpert.ShouldBe(source);
                var difference = Enumerable.Range(0, width).Max(i => Math.Abs(grownRows[expert * width + i] - rows[source * width + i]));
                difference.ShouldBeLessThan(0.1f, "rows are those of the sources, with a little noise");
            }
        }
    }

    [Theory]
    [InlineData("deepseek_v3", Preservation.Wide, "copies would count twice. Use preserve frozen")]
    [InlineData("deepseek_v2", Preservation.SiblingExclusive, "Use preserve frozen")]
    public void Copy_StartThatGroupsMakeInexact_IsRefused(string family, Preservation preserve, string remedy) =>
        Should.Throw<UserInputException>(() =>
            UpcycleRules.Check(new UpcycleOptions { Method = "copy", Preserve = preserve }, Family(family), hasTrainerState: false))
            .Message.ShouldContain(remedy);

    [Fact]
    public void Copy_CountsThatMakeGroupsUnequal_AreRefused() =>
        Should.Throw<UserInputException>(() =>
            UpcycleRules.Check(new UpcycleOptions { Method = "copy", Counts = [2, 2, 2, 2, 2, 2, 3, 2] }, Family("deepseek_v2"), hasTrainerState: false))
            .Message.ShouldContain("the 4 groups of neighbouring experts (n_group) must stay equal. Give each 2 numbers in a row the same sum");

    [Fact]
    public async Task LayerPlan_ForADenseLayer_IsRefused()
    {
        using var tiny = await GrownModels.StoreAsync(Family("deepseek"));

        (await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(
            tiny, """{"method":"copy","layer-plans":[{"layers":[0],"max-copies":1}]}"""))).Message.ShouldContain("layer 0 has no experts");
    }

    private static ModelConfig Family(string name)
    {
        var config = ModelConfig.Tiny() with { Family = name, InitializerRange = 0.2, QueryKeyNorm = QueryKeyNorm.None };
        return name switch
        {
            "mixtral" => config with { NormalizeTopK = true },
            "qwen2_moe" => config with { QueryKeyValueBias = true, SharedSize = 16, SharedGate = true },
            "qwen3_moe" => config with { QueryKeyNorm = QueryKeyNorm.PerHead, NormalizeTopK = true },
            "deepseek" => config with { DenseLayers = [0], DenseSize = 40, SharedSize = 48 },
            _ => config with
            {
                DenseLayers = [0], DenseSize = 40, SharedSize = 48, Latent = new LatentAttention(null, 12, 8, 4, 8, Interleaved: true),
                KeyValueHeads = config.Heads, HeadSize = 12,
                Experts = 8, ExpertGroups = 4, ChosenGroups = 2, RoutedScale = 2,
                GroupScoreMembers = name == "deepseek_v3" ? 2 : 1,
                ScoreFunction = name == "deepseek_v3" ? ScoreFunction.Sigmoid : ScoreFunction.Softmax,
                NormalizeTopK = name == "deepseek_v3",
            },
        };
    }
}
