using System.Text;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Checkpoints.Families;

namespace Espalier.Artifacts.Tests.Checkpoints.Families;

public sealed class KeptModulesTests
{
    private const string Gate = "model.layers.0.mlp.gate", Attention = "model.layers.2.self_attn.q_proj, model.layers.10.self_attn.q_proj";

    private static readonly TensorHeader[] Tensors =
    [
        Plain("lm_head.weight", 8, 4), Plain("model.embed_tokens.weight", 8, 4), Plain("model.norm.weight", 4), Plain("model.layers.0.mlp.gate.weight", 2, 4),
        Plain("model.layers.0.mlp.gate.bias", 2), Plain("model.layers.10.self_attn.q_proj.weight", 4, 4), Plain("model.layers.2.self_attn.q_proj.weight", 4, 4),
        .. Packed("model.layers.0.self_attn.q_proj"), Plain("model.layers.0.self_attn.q_proj.bias", 4), .. Packed("model.layers.0.mlp.experts.0.up_proj"),
    ];

    [Theory]
    [InlineData("olmoe", "[]", $"lm_head, {Gate}, {Attention}")]
    [InlineData("olmoe", "null", $"lm_head, {Gate}, {Attention}")]
    [InlineData("olmoe", """["re:.*gate$","lm_head"]""", $"re:.*gate$, lm_head, {Attention}")]
    [InlineData("olmoe", """["re:lm_head","re:.*q_proj"]""", $"re:lm_head, {Gate}, {Attention}")]
    [InlineData("olmoe", """["re:(unclosed"]""", $"re:(unclosed, lm_head, {Gate}, {Attention}")]
    [InlineData("olmoe", """["model.layers.0.self_attn.q_proj","model.layers.7.mlp.gate","Embedding"]""", $"Embedding, lm_head, {Gate}, {Attention}")]
    [InlineData("mixtral", """["model.layers.0.block_sparse_moe.gate","re:.*q_proj"]""",
        $"model.layers.0.block_sparse_moe.gate, lm_head, {Attention}")]
    [InlineData("mixtral", """["re:.*mlp.gate$"]""", $"re:.*mlp.gate$, lm_head, {Gate}, {Attention}")]
    public void Complete_AnyList_HasEveryPlainMatrixAndNoPackedOne(string family, string before, string expected)
    {
        var config = Encoding.UTF8.GetBytes(
            $$$"""{"model_type":"{{{family}}}","quantization_config":{"quant_method":"compressed-tensors","ignore":{{{before}}}}}""");

        var after = JsonNode.Parse(KeptModules.Complete(config, Tensors))!;

        string.Join(", ", after["quantization_config"]!["ignore"]!.AsArray().Select(entry => (string)entry!)).ShouldBe(expected);
    }

    // Readers of GPTQ models want the same modules as patterns of names on disk, with a sign that takes them out.
    [Fact]
    public void Complete_DynamicOfGptq_TakesOutWhatIsPlain()
    {
        var config = Encoding.UTF8.GetBytes("""
            {"model_type":"mixtral","quantization_config":{"quant_method":"gptq","modules_to_not_convert":[],"dynamic":{"-:^gone$":{}}}}
            """);

        var after = JsonNode.Parse(KeptModules.Complete(config, Tensors))!["quantization_config"]!;

        after["dynamic"]!.AsObject().Select(entry => entry.Key).ShouldBe(
        [
            "-:^lm_head$", @"-:^model\.layers\.0\.block_sparse_moe\.gate$", @"-:^model\.layers\.2\.self_attn\.q_proj$",
            @"-:^model\.layers\.10\.self_attn\.q_proj$",
        ]);
        var again = KeptModules.Complete(KeptModules.Complete(config, Tensors), Tensors);
        JsonNode.Parse(again)!.ToJsonString().ShouldBe(JsonNode.Parse(KeptModules.Complete(config, Tensors))!.ToJsonString());
    }

    [Theory]
    [InlineData("""{"model_type":"olmoe"}""")]
    [InlineData("""{"model_type":"olmoe","quantization_config":{"quant_method":"int8-rows"}}""")]
    [InlineData("""
        {"model_type":"olmoe","quantization_config":{"quant_method":"compressed-tensors","ignore":["re:lm_head","re:.*gate","re:.*layers.(2|10)"]}}
        """)]
    public void Complete_NothingToList_GivesTheSameBytes(string config)
    {
        var bytes = Encoding.UTF8.GetBytes(config);

        KeptModules.Complete(bytes, Tensors).ShouldBeSameAs(bytes);
    }

    [Theory]
    [InlineData("I8")]
    [InlineData("F8_E4M3")]
    public void Complete_CodesUnderThePlainName_AreNotListed(string dtype)
    {
        var config = Encoding.UTF8.GetBytes(
            """{"model_type":"olmoe","quantization_config":{"quant_method":"compressed-tensors","ignore":["model.layers.0.a"]}}""");
        TensorHeader[] tensors =
        [
            new("model.layers.0.a.weight", dtype, [4, 4], 16), new("model.layers.0.a.weight_scale", "F32", [4, 1], 16),
            Plain("model.layers.0.b.weight", 4, 4), Plain("model.layers.0.b.bias", 4),
        ];

        var after = JsonNode.Parse(KeptModules.Complete(config, tensors))!;

        after["quantization_config"]!["ignore"]!.AsArray().Select(entry => (string)entry!).ShouldBe(["model.layers.0.b"]);
    }

    private static TensorHeader Plain(string name, params long[] shape) => new(name, "F32", shape, 4 * shape.Aggregate(1L, (a, b) => a * b));

    private static TensorHeader[] Packed(string module) =>
        [new(module + ".weight_packed", "I32", [4, 1], 16), new(module + ".weight_scale", "F32", [4, 1], 16), new(module + ".weight_shape", "I64", [2], 16)];
}
