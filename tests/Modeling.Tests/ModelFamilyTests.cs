namespace Espalier.Modeling.Tests;

/// <summary>What every family file must say; a new file is covered by being there.</summary>
public sealed class ModelFamilyTests
{
    public static TheoryData<string> Families => [.. ModelFamily.All.Select(family => family.Name)];

    [Fact]
    public void All_HoldsThePublishedFamilies() => ModelFamily.All.Select(family => family.Name).ShouldBe(
        ["deepseek", "deepseek_v2", "deepseek_v3", "llama", "mistral", "mixtral", "olmoe", "qwen2", "qwen2_moe", "qwen3", "qwen3_moe"]);

    [Theory]
    [MemberData(nameof(Families))]
    public void Facts_OfEveryFamily_GoTogether(string name)
    {
        var family = ModelFamily.Of(name);

        family.Architecture.ShouldEndWith("ForCausalLM");
        (family.Mixture is null).ShouldBe(!family.IsDense, "a dense family says which mixture its weights fit into");
        foreach (var mixture in new[] { family.Mixture, family.MixtureWithSharedExpert }.OfType<string>())
            ModelFamily.Of(mixture).IsDense.ShouldBeFalse();
        (family.ExpertGroups is null).ShouldBe(family.GroupMethod is null);
        (family.ExpertGroups is null).ShouldBe(family.ChosenGroups is null);
        (family.FirstWindowedLayer is null || family.Window == AttentionWindow.Flagged).ShouldBeTrue();
        (family.SharedExperts is null || !family.HasGatedSharedExpert).ShouldBeTrue();
        (family.FirstDenseLayers is null || !family.HasSparseStep).ShouldBeTrue();
    }

    [Fact]
    public void Of_AnUnknownFamily_ListsTheKnown() =>
        Should.Throw<InvalidModelException>(() => ModelFamily.Of("gpt2")).Message.ShouldContain("supported: deepseek, deepseek_v2");
}
