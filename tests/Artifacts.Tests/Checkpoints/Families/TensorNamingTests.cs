using Espalier.Artifacts.Checkpoints.Families;

namespace Espalier.Artifacts.Tests.Checkpoints.Families;

public sealed class TensorNamingTests
{
    [Theory]
    [InlineData("mixtral", "model.layers.31.block_sparse_moe.experts.7.w2.weight", "model.layers.31.mlp.experts.7.down_proj.weight")]
    [InlineData("mixtral", "model.layers.0.block_sparse_moe.experts.0.w3.weight_packed", "model.layers.0.mlp.experts.0.up_proj.weight_packed")]
    [InlineData("mixtral", "model.layers.0.block_sparse_moe.gate.weight", "model.layers.0.mlp.gate.weight")]
    [InlineData("mixtral", "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.q_proj.weight")]
    [InlineData("deepseek_v2", "model.layers.1.mlp.shared_experts.gate_proj.weight", "model.layers.1.mlp.shared_expert.gate_proj.weight")]
    [InlineData("qwen2_moe", "model.layers.1.mlp.shared_expert_gate.weight", "model.layers.1.mlp.shared_expert_gate.weight")]
    [InlineData("unheard_of", "anything.at.all", "anything.at.all")]
    public void ToStore_ThenToDisk_IsTheSameName(string family, string onDisk, string stored)
    {
        FamilyNames.Of(family).ToStore(onDisk).ShouldBe(stored);
        FamilyNames.Of(family).ToDisk(stored).ShouldBe(onDisk);
    }

    [Fact]
    public void ToDisk_WholeWordsOnly_LeavesLongerNames() =>
        new TensorNaming(new Dictionary<string, string> { ["a.{layer}.gate"] = "b.{layer}.router" })
            .ToDisk("a.3.gate_proj.weight").ShouldBe("a.3.gate_proj.weight");

    [Fact]
    public void ToDisk_NumbersInAnotherOrder_KeepTheirPlaces() =>
        new TensorNaming(new Dictionary<string, string> { ["l.{layer}.e.{expert}"] = "$x{expert}.of.{layer}" })
            .ToDisk("l.12.e.3.weight").ShouldBe("$x3.of.12.weight");

    [Fact]
    public void ToDisk_StackedMixtral_SaysMlp() =>
        FamilyNames.Of("mixtral").ToDisk("model.layers.2.mlp.gate.weight", isStacked: true).ShouldBe("model.layers.2.mlp.gate.weight");

    [Fact]
    public void Templates_WithOtherNumbers_AreRefused() =>
        Should.Throw<FormatException>(() => new TensorNaming(new Dictionary<string, string> { ["l.{layer}.x"] = "x" })).Message.ShouldContain("same numbers");
}
