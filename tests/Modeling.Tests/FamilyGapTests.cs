namespace Espalier.Modeling.Tests;

/// <summary>What loaders of the published families would get wrong is said with a remedy.</summary>
public sealed class FamilyGapTests
{
    [Theory]
    [InlineData("olmoe", true, "selection-bias: fold")]
    [InlineData("mixtral", true, "selection-bias: fold")]
    [InlineData("deepseek_v3", true, null)]
    [InlineData("deepseek_v3", false, "Training writes one of zeros")]
    [InlineData("olmoe", false, null)]
    public void Of_SelectionBias_IsAGapWhereTheFamilyHasNone(string family, bool hasBias, string? expected)
    {
        var config = Within(family);
        string[] tensors = hasBias ? [TensorNames.SelectionBias(1)] : [TensorNames.Router(1)];

        var notes = FamilyGap.Of(config, tensors).Select(gap => gap.Note).ToList();

        if (expected is null)
            notes.ShouldBeEmpty();
        else
            notes.ShouldHaveSingleItem().ShouldContain(expected);
    }

    [Fact]
    public void Of_RouterBias_NamesTheClassThatIgnoresIt()
    {
        var gap = FamilyGap.Of(Within("olmoe"), [TensorNames.RouterBias(0)]).ShouldHaveSingleItem();

        gap.What.ShouldBe("router bias");
        gap.Note.ShouldContain("OlmoeForCausalLM");
        gap.Note.ShouldContain("bias-only");
    }

    [Fact]
    public void Of_SharedExpertThatIsMissing_SaysThatLoadersMakeOneUp() =>
        FamilyGap.Of(Within("qwen2_moe") with { SharedSize = 0, SharedGate = false }).ShouldHaveSingleItem().Note.ShouldContain("random numbers");

    [Fact]
    public void Of_SharedWidthThatIsNoMultiple_NamesBothWidths()
    {
        var gap = FamilyGap.Of(Within("deepseek") with { ExpertSize = 16, SharedSize = 24 }).ShouldHaveSingleItem();

        gap.Note.ShouldContain("16");
        gap.Note.ShouldContain("24");
    }

    [Theory]
    [InlineData("deepseek", "leading: once")]
    [InlineData("mixtral", "family: qwen2_moe")]
    public void Of_DenseLayersThatTheFamilyCannotName_OffersWhatCan(string family, string remedy) =>
        FamilyGap.Of(Within(family) with { DenseLayers = [1], DenseSize = 24 }).ShouldHaveSingleItem().Note.ShouldContain(remedy);

    [Fact]
    public void Of_ClampOfAFamilyWithoutTheKey_IsAGap()
    {
        FamilyGap.Of(Within("qwen3_moe") with { ClipQkv = 8 }).ShouldHaveSingleItem().What.ShouldBe("clamped queries, keys and values");
        FamilyGap.Of(Within("olmoe") with { ClipQkv = 8 }).ShouldBeEmpty();
    }

    [Fact]
    public void Of_TopPRouting_SaysWhatOthersRunInstead_AndElasticIsNone()
    {
        var note = FamilyGap.Of(Within("olmoe") with { TopP = 0.4 }).ShouldHaveSingleItem().Note;

        note.ShouldContain("OlmoeForCausalLM has no place for this model's top-p routing (0.4)");
        note.ShouldContain("every token uses 2 experts");
        FamilyGap.Of(Within("olmoe") with { Elastic = new ElasticExperts(1, 4) }).ShouldBeEmpty();
    }

    private static ModelConfig Within(string name)
    {
        var (config, family) = (ModelConfig.Tiny(), ModelFamily.Of(name));
        return config with
        {
            Family = name,
            QueryKeyNorm = family.QueryKeyNorm,
            QueryKeyValueBias = family.HasBias,
            NormalizeTopK = family.NormalizesTopK,
            ScoreFunction = family.ScoreFunction,
            RoutedScale = family.RoutedScale ?? 1,
            SharedSize = family.HasGatedSharedExpert ? 8 : (family.SharedExperts ?? 0) * config.ExpertSize,
            SharedGate = family.HasGatedSharedExpert,
            Latent = family.IsLatent ? new LatentAttention(null, 12, 8, 4, 8, Interleaved: true) : null,
        };
    }
}
