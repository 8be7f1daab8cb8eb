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
    public async Task Copy_ExactStart_KeepsLogits(string family, string preserve)
    {
        using var tiny = await GrownModels.StoreAsync(Family(family));

        var (result, difference) = await GrownModels.GrowAsync(tiny, $$"""{"method":"copy","preserve":"{{preserve}}","seed":1}""");

        difference.ShouldBeLessThan(1e-5);
        var grown = (await tiny.OpenAsync(result.Outputs["model"])).Config;
        (grown.Family, grown.Experts, grown.SharedSize).ShouldBe((family, 8, Family(family).SharedSize));
        grown.SparseLayers.ShouldBe(Family(family).SparseLayers);
    }

    [Theory]
    [InlineData("qwen2_moe")]
    [InlineData("deepseek")]
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

    [Fact]
    public void Copy_ExpertGroups_AreRefused() =>
        Should.Throw<UserInputException>(() => UpcycleRules.Check(new UpcycleOptions { Method = "copy" }, ModelConfig.Tiny() with { ExpertGroups = 2 }, hasTrainerState: false))
            .Message.ShouldContain("Only models with one group can be grown");

    [Fact]
    public async Task LayerPlan_ForADenseLayer_IsRefused()
    {
        using var tiny = await GrownModels.StoreAsync(Family("deepseek"));

        (await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, """{"method":"copy","layer-plans":[{"layers":[0],"max-copies":1}]}"""))).Message.ShouldContain("layer 0 has no experts");
    }

    private static ModelConfig Family(string name)
    {
        var config = ModelConfig.Tiny() with { Family = name, InitializerRange = 0.2, QueryKeyNorm = QueryKeyNorm.None };
        return name switch
        {
            "mixtral" => config with { NormalizeTopK = true },
            "qwen2_moe" => config with { QueryKeyValueBias = true, SharedSize = 16, SharedGate = true },
            "qwen3_moe" => config with { QueryKeyNorm = QueryKeyNorm.PerHead, NormalizeTopK = true },
            _ => config with { DenseLayers = [0], DenseSize = 40, SharedSize = 48 },
        };
    }
}
