using System.Text;
using System.Text.Json.Nodes;
using Espalier.TestKit.Families;

namespace Espalier.Modeling.Tests;

/// <summary>Which layers have an attention window survives every change of a model's layers and family.</summary>
public sealed class WindowConfigTests
{
    [Fact]
    public void ToJson_RepeatedLayers_SaysWhichHaveTheWindow()
    {
        var source = Parse(FamilyModel.Create("qwen2-window").Config); // max_window_layers 1: layers 1 and 2 of 3

        var deep = source with { Layers = 6, WindowedLayers = [1, 2, 4, 5] };
        var written = Written(deep);

        string[] pattern = ["full_attention", "sliding_attention", "sliding_attention"];
        Types(written).ShouldBe(pattern.Concat(pattern));
        Parse(written).WindowedLayers.ShouldBe([1, 2, 4, 5]);
        FamilyGap.Of(deep).ShouldHaveSingleItem().Note.ShouldContain("layer_types");
    }

    [Fact]
    public void ToJson_UnchangedLayers_KeepsTheFamilysOwnKey()
    {
        var source = Parse(FamilyModel.Create("qwen2-window").Config);

        Written(source).ContainsKey("layer_types").ShouldBeFalse();
        FamilyGap.Of(source).ShouldBeEmpty();
    }

    [Fact]
    public void ToJson_ListOfLayersWithoutWindows_HasAnEntryForEveryLayer()
    {
        var config = FamilyModel.Create("qwen3").Config;
        config["layer_types"] = new JsonArray("full_attention", "full_attention", "full_attention");
        config["use_sliding_window"] = false;

        var written = Written(Parse(config) with { Layers = 6 });

        Types(written).ShouldBe(Enumerable.Repeat("full_attention", 6));
    }

    [Fact]
    public void ToJson_Qwen2AsAMixture_SaysWhichLayersHaveTheWindow()
    {
        var source = Parse(FamilyModel.Create("qwen2-window").Config);
        var grown = source with { Family = "qwen2_moe", Experts = 4, ExpertsPerToken = 2, ExpertSize = 12, SharedSize = 1, SharedGate = true };

        var again = Parse(Written(grown));

        again.WindowedLayers.ShouldBe([1, 2]);
        again.SlidingWindow.ShouldBe(2);
    }

    [Fact]
    public void ToJson_FamilyWithoutWindows_KeepsThemAndSaysSo()
    {
        var source = Parse(FamilyModel.Create("mistral-window").Config);
        var grown = source with { Family = "deepseek", Experts = 4, ExpertsPerToken = 2, ExpertSize = 12, SharedSize = 12 };

        Parse(Written(grown)).WindowedLayers.ShouldBe(source.WindowedLayers);
        FamilyGap.Of(grown).Select(gap => gap.What).ShouldBe(["attention windows"]);
    }

    [Fact]
    public void ToJson_WindowsTakenAway_LeavesNoneInTheFile()
    {
        foreach (var name in (string[])["mistral-window", "qwen2-window"])
            Parse(Written(Parse(FamilyModel.Create(name).Config) with { SlidingWindow = null, WindowedLayers = [] })).WindowedLayers.ShouldBeEmpty(name);
    }

    private static IEnumerable<string> Types(JsonObject config) => config["layer_types"]!.AsArray().Select(type => (string)type!);

    private static JsonObject Written(ModelConfig config) => JsonNode.Parse(config.ToJson())!.AsObject();

    private static ModelConfig Parse(JsonObject config) => ModelConfig.Parse(Encoding.UTF8.GetBytes(config.ToJsonString()));
}
