using System.Text;
using System.Text.Json.Nodes;
using Espalier.Artifacts.Checkpoints.Families;

namespace Espalier.Artifacts.Tests.Checkpoints.Families;

public sealed class FamilyConfigTests
{
    [Fact]
    public void ToDisk_ModulesOfAGroupOfCodes_HaveTheNamesOfTheFamily()
    {
        var config = Encoding.UTF8.GetBytes("""
            {"model_type":"mixtral","quantization_config":{"quant_method":"compressed-tensors","ignore":["model.layers.0.mlp.gate"],"config_groups":{
              "group_0":{"targets":["Linear"]},"group_1":{"targets":["model.layers.0.mlp.experts.1.gate_proj","model.layers.0.self_attn.o_proj"]}}}}
            """);

        var entry = JsonNode.Parse(FamilyConfig.ToDisk(config))!["quantization_config"]!;

        Names(entry["ignore"]!).ShouldBe(["model.layers.0.block_sparse_moe.gate"]);
        Names(entry["config_groups"]!["group_0"]!["targets"]!).ShouldBe(["Linear"]);
        Names(entry["config_groups"]!["group_1"]!["targets"]!)
            .ShouldBe(["model.layers.0.block_sparse_moe.experts.1.w1", "model.layers.0.self_attn.o_proj"]);

        static IEnumerable<string> Names(JsonNode list) => list.AsArray().Select(entry => (string)entry!);
    }
}
