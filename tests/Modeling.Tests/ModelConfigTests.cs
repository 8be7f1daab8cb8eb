using System.Text;
using System.Text.Json.Nodes;

namespace Espalier.Modeling.Tests;

public sealed class ModelConfigTests
{
    private const string Published = """
        {
          "architectures": ["OlmoeForCausalLM"], "model_type": "olmoe", "vocab_size": 50304, "hidden_size": 2048,
          "intermediate_size": 1024, "num_hidden_layers": 16, "num_attention_heads": 16, "num_key_value_heads": 16,
          "num_experts": 64, "num_experts_per_tok": 8, "norm_topk_prob": false, "clip_qkv": null, "rms_norm_eps": 1e-05,
          "rope_theta": 10000.0, "rope_scaling": null, "hidden_act": "silu", "tie_word_embeddings": false,
          "eos_token_id": 50279, "pad_token_id": 1, "torch_dtype": "bfloat16", "max_position_embeddings": 4096,
          "router_aux_loss_coef": 0.01, "some_later_key": {"kept": [1, 2]}
        }
        """;

    [Fact]
    public void Parse_PublishedConfig_ReadsShapesAndCounts()
    {
        var config = Parse(Published);

        config.HeadSize.ShouldBe(128);
        config.ExpertSize.ShouldBe(1024);
        config.EosTokenId.ShouldBe(50279);
        config.WeightType.ShouldBe("bfloat16");
        config.TotalParameters.ShouldBe(6_919_161_856);  // as the model's card counts: 6.9 B
        config.ActiveParameters.ShouldBe(1_282_017_280); // 1.3 B
    }

    [Fact]
    public void ToJson_AfterParse_KeepsUnknownKeysAndChangesOnlyWhatChanged()
    {
        var config = Parse(Published) with { Experts = 128, SiblingGroups = [.. Enumerable.Repeat(Groups(128, 64), 16)], SiblingExclusive = true };

        var written = JsonNode.Parse(config.ToJson())!.AsObject();

        written["num_experts"]!.GetValue<int>().ShouldBe(128);
        written["some_later_key"]!["kept"]!.AsArray().Count.ShouldBe(2);
        written["pad_token_id"]!.GetValue<int>().ShouldBe(1);
        written["espalier"]!["routing"]!.GetValue<string>().ShouldBe("sibling-exclusive");
        var again = ModelConfig.Parse(config.ToJson());
        again.SiblingExclusive.ShouldBeTrue();
        again.SiblingGroups![15][64].ShouldBe(0);
        again.ToJson().ShouldBe(config.ToJson());
    }

    [Fact]
    public void Parse_NewSpellings_ReadTheSame()
    {
        var config = Parse(Published
            .Replace("\"torch_dtype\": \"bfloat16\"", "\"dtype\": \"float16\"")
            .Replace("\"rope_theta\": 10000.0, \"rope_scaling\": null", "\"rope_parameters\": {\"rope_type\": \"default\", \"rope_theta\": 500000.0}")
            .Replace("\"num_experts\": 64", "\"num_local_experts\": 64")
            .Replace("\"eos_token_id\": 50279", "\"eos_token_id\": [7, 8]"));

        config.WeightType.ShouldBe("float16");
        config.RopeTheta.ShouldBe(500_000);
        config.Experts.ShouldBe(64);
        config.EosTokenId.ShouldBe(7);
        var written = JsonNode.Parse(config.ToJson())!;
        written["dtype"]!.GetValue<string>().ShouldBe("float16");
        written["rope_parameters"]!["rope_theta"]!.GetValue<double>().ShouldBe(500_000);
        written["eos_token_id"]!.AsArray().Count.ShouldBe(2);
    }

    [Theory]
    [InlineData("\"hidden_size\": 2048", "\"hidden_size\": 2047", "num_attention_heads")]
    [InlineData("\"hidden_size\": 2048,", "", "'hidden_size' is missing")]
    [InlineData("\"num_experts_per_tok\": 8", "\"num_experts_per_tok\": 65", "more than the 64 experts")]
    [InlineData("\"num_experts\": 64", "\"num_experts\": 64, \"n_routed_experts\": 32", "disagrees")]
    [InlineData("\"model_type\": \"olmoe\"", "\"model_type\": \"gpt2\"", "deepseek_v3, llama, mistral, mixtral, olmoe, qwen2")]
    [InlineData("\"vocab_size\": 50304", "\"vocab_size\": -5", "vocab_size")]
    [InlineData("\"vocab_size\": 50304", "\"vocab_size\": 1e300", "vocab_size")]
    [InlineData("\"vocab_size\": 50304", "\"vocab_size\": \"many\"", "whole number")]
    [InlineData("\"hidden_act\": \"silu\"", "\"hidden_act\": \"gelu\"", "silu")]
    [InlineData("\"rope_scaling\": null", "\"rope_scaling\": {\"type\": \"longrope\", \"factor\": 4}", "longrope")]
    [InlineData("\"torch_dtype\": \"bfloat16\"", "\"torch_dtype\": \"int8\"", "int8")]
    [InlineData("\"num_key_value_heads\": 16", "\"num_key_value_heads\": 5", "num_key_value_heads")]
    [InlineData("\"some_later_key\"", "\"espalier\": {\"routing\": \"sibling-exclusive\"}, \"some_later_key\"", "sibling-groups")]
    [InlineData("\"some_later_key\"", "\"espalier\": {\"sibling-groups\": [[0, 1]]}, \"some_later_key\"", "64 experts")]
    [InlineData("\"some_later_key\"", "\"hidden_size\": 1, \"some_later_key\"", "config.json")]
    [InlineData("\"some_later_key\"", "some_later_key", "not valid JSON")]
    public void Parse_BadKey_NamesIt(string good, string bad, string expected) =>
        Should.Throw<InvalidModelException>(() => Parse(Published.Replace(good, bad))).Message.ShouldContain(expected);

    [Fact]
    public void Parse_SeveralProblems_ReportsAll()
    {
        var message = Should.Throw<InvalidModelException>(() => Parse("{\"model_type\": \"olmoe\"}")).Message;

        message.ShouldContain("hidden_size");
        message.ShouldContain("num_experts_per_tok");
        message.ShouldContain("intermediate_size");
    }

    [Fact]
    public void ToJson_Quantized_RoundTrips()
    {
        var config = ModelConfig.Tiny() with { Quantization = new WeightQuantization(4, 16, Symmetric: true) };

        ModelConfig.Parse(config.ToJson()).Quantization.ShouldBe(config.Quantization);
        ModelConfig.Parse((config with { Quantization = null }).ToJson()).Quantization.ShouldBeNull();
    }

    private static ModelConfig Parse(string json) => ModelConfig.Parse(Encoding.UTF8.GetBytes(json));

    private static IReadOnlyList<int> Groups(int experts, int sources) => [.. Enumerable.Range(0, experts).Select(e => e % sources)];
}
