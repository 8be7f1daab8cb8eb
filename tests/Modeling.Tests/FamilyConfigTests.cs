using System.Text;
using System.Text.Json.Nodes;
using Espalier.TestKit.Families;

namespace Espalier.Modeling.Tests;

public sealed class FamilyConfigTests
{
    public static TheoryData<string> Cases => [.. FamilyModel.Cases];

    [Theory]
    [MemberData(nameof(Cases))]
    public void ToJson_OfAnUnchangedModel_KeepsEveryKeyAndReadsTheSame(string name)
    {
        var source = FamilyModel.Create(name).Config;
        var config = Parse(source);

        var written = JsonNode.Parse(config.ToJson())!.AsObject();

        foreach (var (key, value) in source.Where(entry => entry.Value is not null))
            JsonNode.DeepEquals(written[key], value).ShouldBeTrue($"{key}: {value?.ToJsonString()} became {written[key]?.ToJsonString()}");
        written.ContainsKey("espalier").ShouldBeFalse();
        FamilyGap.Of(config).ShouldBeEmpty();
        Parse(written).ToJson().ShouldBe(config.ToJson());
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public void TotalParameters_OfEveryFamily_CountsEveryWeight(string name)
    {
        var model = FamilyModel.Create(name);
        var config = Parse(model.Config);

        config.TotalParameters.ShouldBe(model.Shapes
            .Where(tensor => !tensor.Key.StartsWith("model.layers.3.e", StringComparison.Ordinal))
            .Where(tensor => !tensor.Key.EndsWith("e_score_correction_bias", StringComparison.Ordinal))
            .Sum(tensor => tensor.Value.Aggregate(1L, (a, b) => a * b)));
        var unused = config.SparseLayers.Count * (config.Experts - config.ExpertsPerToken) * config.ExpertParameters;
        config.ActiveParameters.ShouldBe(config.TotalParameters - unused);
    }

    [Theory]
    [InlineData("llama", "mixtral", "num_local_experts", "intermediate_size")]
    [InlineData("qwen3", "qwen3_moe", "num_experts", "moe_intermediate_size")]
    [InlineData("llama", "deepseek", "n_routed_experts", "moe_intermediate_size")]
    public void ToJson_OfADenseModelMadeAMixture_UsesTheFamilysKeys(string dense, string family, string countKey, string sizeKey)
    {
        var source = Parse(FamilyModel.Create(dense).Config);
        var grown = source with { Family = family, Experts = 8, ExpertsPerToken = 2, ExpertSize = source.DenseSize, DenseSize = 0, NormalizeTopK = true };

        var written = JsonNode.Parse(grown.ToJson())!.AsObject();

        ((int)written[countKey]!).ShouldBe(8);
        ((int)written[sizeKey]!).ShouldBe(24);
        ((string)written["architectures"]![0]!).ShouldEndWith("ForCausalLM");
        ((string)written["model_type"]!).ShouldBe(family);
        FamilyGap.Of(grown).ShouldBeEmpty();
        var again = Parse(written);
        again.TotalParameters.ShouldBe(grown.TotalParameters);
        again.NormalizeTopK.ShouldBeTrue();
        again.QueryKeyNorm.ShouldBe(source.QueryKeyNorm);
        again.DenseLayers.ShouldBeEmpty();
    }

    [Fact]
    public void ToJson_OfQwen2MadeAMixture_KeepsItsBiasesAndGetsASharedExpert()
    {
        var source = Parse(FamilyModel.Create("qwen2").Config);
        var grown = source with
        {
            Family = "qwen2_moe", Experts = 4, ExpertsPerToken = 2, ExpertSize = 12, SharedSize = 24, SharedGate = true, DenseLayers = [0, 2], Layers = 3,
        };

        var again = Parse(JsonNode.Parse(grown.ToJson())!.AsObject());

        FamilyGap.Of(grown).ShouldBeEmpty();
        (again.QueryKeyValueBias, again.OutputBias, again.SharedSize, again.SharedGate, again.DenseSize).ShouldBe((true, false, 24, true, 24));
        again.DenseLayers.ShouldBe([0, 2]);
    }

    [Fact]
    public void ToJson_OfWhatAFamilyCannotSay_UsesOurKeysAndSaysSo()
    {
        var source = Parse(FamilyModel.Create("mixtral").Config);
        var unusual = source with
        {
            DenseLayers = [1], DenseSize = 40, SharedSize = 16, NormalizeTopK = false, RoutedScale = 0.5,
            QueryKeyValueBias = true, QueryKeyNorm = QueryKeyNorm.PerHead,
        };

        var again = Parse(JsonNode.Parse(unusual.ToJson())!.AsObject());

        FamilyGap.Of(unusual).Select(gap => gap.What).ShouldBe(
            ["gates not divided by their sum", "query and key norms: per-head", "attention biases", "scaled gates", "dense layers", "a shared expert"],
            ignoreOrder: true);
        again.TotalParameters.ShouldBe(unusual.TotalParameters);
        (again.NormalizeTopK, again.RoutedScale, again.SharedGate, again.QueryKeyNorm).ShouldBe((false, 0.5, false, QueryKeyNorm.PerHead));
    }

    [Theory]
    [InlineData("deepseek-v3", "\"n_group\":4", "\"n_group\":3", "which does not divide the 8 experts")]
    [InlineData("deepseek-v3", "\"topk_group\":2", "\"topk_group\":1", "more than the 2 experts of topk_group 1 groups")]
    [InlineData("deepseek-v2-lite", "\"kv_lora_rank\":14", "\"kv_lora_rank\":0", "kv_lora_rank' is 0")]
    [InlineData("deepseek", "\"first_k_dense_replace\":1", "\"first_k_dense_replace\":9", "no layer is left for experts")]
    [InlineData("qwen2-moe", "\"decoder_sparse_step\":1", "\"decoder_sparse_step\":7", "or use the dense family")]
    [InlineData("qwen2-moe", "\"use_sliding_window\":false", "\"use_sliding_window\":true,\"sliding_window\":4", "Add layer_types")]
    [InlineData("llama", "\"mlp_bias\":false", "\"mlp_bias\":true", "MLPs with biases are not supported")]
    [InlineData("qwen3-moe-yarn", "\"factor\":4.0", "\"factors\":4.0", "rope_scaling.factor' is missing")]
    [InlineData("mixtral", "\"num_experts_per_tok\":2", "\"num_experts_per_tok\":5", "more than the 4 experts")]
    public void Parse_OfACombinationThatCannotWork_SaysWhatWould(string name, string good, string bad, string expected)
    {
        var text = FamilyModel.Create(name).Config.ToJsonString();
        text.ShouldContain(good);

        var config = Encoding.UTF8.GetBytes(text.Replace(good, bad, StringComparison.Ordinal));
        Should.Throw<InvalidModelException>(() => ModelConfig.Parse(config)).Message.ShouldContain(expected);
    }

    [Fact]
    public void Frequencies_OfDynamicScaling_StretchOnlyBeyondTheOldContext()
    {
        var scaling = new RopeScaling { Kind = RopeScalingKind.Dynamic, Factor = 2, OriginalPositions = 8 };

        scaling.Frequencies(8, 10_000, 8).ShouldBe(RopeScaling.Plain(8, 10_000));
        scaling.Frequencies(8, 10_000, 16)[1].ShouldBe(Math.Pow(10_000 * Math.Pow(2 * 16 / 8.0 - 1, 8 / 6.0), -0.25), 1e-12);
    }

    private static ModelConfig Parse(JsonObject config) => ModelConfig.Parse(Encoding.UTF8.GetBytes(config.ToJsonString()));
}
