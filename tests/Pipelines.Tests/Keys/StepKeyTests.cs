using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Keys;

namespace Espalier.Pipelines.Tests.Keys;

public sealed class StepKeyTests
{
    private static readonly ManifestRef Model = new(ArtifactKind.Checkpoint, Digest.Of("m"u8), 5);

    [Fact]
    public void Compute_OptionsInAnotherOrder_IsTheSame() =>
        Key("""{"a":1,"b":2.0}""").ToDigest().ShouldBe(Key("""{"b":2,"a":1}""").ToDigest());

    [Theory]
    [InlineData(StageKinds.Prune, true)]
    [InlineData(StageKinds.Evaluate, false)]
    public void Compute_StepRenamed_MattersOnlyWhereTheNameShows(string kind, bool same) =>
        (Key("{}", kind, step: "a").ToDigest() == Key("{}", kind, step: "b").ToDigest()).ShouldBe(same);

    [Fact]
    public void Compute_OwnFileMoved_IsTheSame() =>
        Key("""{"source":"file:/a/x.txt","fingerprint":"1"}""", StageKinds.Dataset).ToDigest()
            .ShouldBe(Key("""{"source":"file:/b/x.txt","fingerprint":"1"}""", StageKinds.Dataset).ToDigest());

    [Fact]
    public void Explain_Difference_NamesFieldAndBothValues()
    {
        StepKey.Explain(Key("""{"a":{"b":1}}"""), Key("""{"a":{"b":2}}""")).ShouldBe("options.a.b: 1 before, 2 now");
        StepKey.Explain(Key("""{"a":1}"""), Key("{}")).ShouldBe("options.a: 1 before, absent now");
        StepKey.Explain(Key("{}"), Key("{}") with { StageVersion = "w" }).ShouldBe("stage-version: \"v\" before, \"w\" now");
        StepKey.Explain(Key("{}"), Key("{}") with { Inputs = [] }).ShouldBe("inputs: 1 before, 0 now");
        StepKey.Explain(Key("{}"), Key("{}")).ShouldBeNull();
    }

    [Fact]
    public void Of_Type_IsStableAndCoversReferences()
    {
        var version = StageVersion.Of(typeof(StepKey));

        version.Length.ShouldBe(16);
        version.ShouldBe(StageVersion.Of(typeof(StageVersion)));
        version.ShouldNotBe(StageVersion.Of(typeof(Digest)));
    }

    private static StepKey Key(string options, string kind = StageKinds.Prune, string step = "base") =>
        StepKey.Of(kind, "v", "cpu", JsonDocument.Parse(options).RootElement, [new StepInput(step, "model", Model)]);
}
