using System.Text;
using System.Text.Json.Nodes;
using Espalier.TestKit.Families;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests;

/// <summary>Rotary scaling lets a model take longer texts than max_position_embeddings.</summary>
public sealed class LongestInputTests
{
    [Theory]
    [InlineData("""{"type":"dynamic","factor":2.5}""", 80)]
    [InlineData("""{"rope_type":"linear","factor":4.0}""", 128)]
    [InlineData("""{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":32}""", 128)]
    [InlineData("""{"rope_type":"yarn","factor":4.0,"original_max_position_embeddings":8}""", 32)]
    [InlineData("""{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,"original_max_position_embeddings":4}""", 32)]
    [InlineData("""{"rope_type":"dynamic","factor":0.5}""", 32)]
    [InlineData("""{"rope_type":"linear","factor":1000000}""", 32_000_000)]
    [InlineData("null", 32)]
    public void LongestInput_OfEveryScaling_IsWhatItReaches(string scaling, int expected)
    {
        var config = FamilyModel.Create("llama").Config;
        (config["max_position_embeddings"], config["rope_scaling"]) = (32, JsonNode.Parse(scaling));

        Parse(config).LongestInput.ShouldBe(expected);
    }

    [Fact]
    public void Forward_BeyondThePositions_TurnsByTheLargerBase()
    {
        using var scope = NewDisposeScope();
        var config = Parse(FamilyModel.Create("llama-dynamic-rope").Config) with { InitializerRange = 0.4 }; // 8 positions, factor 2
        using var decoder = MoeDecoder.Create(config, 1);
        var theta = 10_000 * Math.Pow(2 * 16 / 8.0 - 1, decoder.Config.HeadSize / (decoder.Config.HeadSize - 2.0));
        using var plain = MoeDecoder.Create(config with { RopeScaling = null, RopeTheta = theta }, 1);
        using var unscaled = MoeDecoder.Create(config with { RopeScaling = null }, 1);
        var tokens = arange(16, dtype: int64).unsqueeze(0);

        var logits = decoder.Forward(tokens).Logits;

        decoder.Config.LongestInput.ShouldBe(16);
        (logits - plain.Forward(tokens).Logits).abs().max().item<float>().ShouldBeLessThan(1e-4f);
        (logits - unscaled.Forward(tokens).Logits).abs().max().item<float>().ShouldBeGreaterThan(1e-2f);
    }

    private static ModelConfig Parse(JsonObject config) => ModelConfig.Parse(Encoding.UTF8.GetBytes(config.ToJsonString()));
}
