using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Keys;

namespace Espalier.Pipelines.Tests.Keys;

public sealed class StepKeyTests
{
    private static readonly ManifestRef Model = new(ArtifactKind.Checkpoint, Digest.Of("m"u8), 5);

    [Fact]
    public void KeyOf_OptionsInAnotherOrder_IsTheSame() =>
        Key("""{"a":1,"b":2.0}""").ToDigest().ShouldBe(Key("""{"b":2,"a":1}""").ToDigest());

    [Theory]
    [InlineData(StageKinds.Prune, true)]
    [InlineData(StageKinds.Evaluate, false)]
    public void KeyOf_StepRenamed_MattersOnlyWhereTheNameShows(string kind, bool same) =>
        (Key("{}", kind, step: "a").ToDigest() == Key("{}", kind, step: "b").ToDigest()).ShouldBe(same);

    [Theory]
    [InlineData("""{"source":"file:/a/x.txt","fingerprint":"1"}""", """{"source":"file:/b/x.txt","fingerprint":"1"}""", true)]
    [InlineData("""{"source":"file:/a/x.txt","fingerprint":"1"}""", """{"source":"file:/a/x.txt","fingerprint":"2"}""", false)]
    [InlineData("""{"source":"file:/a/x.txt","fingerprint":"1"}""", """{"source":"file:/a/y.txt","fingerprint":"1"}""", false)]
    [InlineData("""{"source":"file:/a/x.txt"}""", """{"source":"file:/b/x.txt"}""", false)]
    [InlineData(
        """{"sources":[{"from":"corpus:a","weight":0.5},{"from":"dir:/a/x","weight":0.5,"fingerprint":"1"}]}""",
        """{"sources":[{"from":"corpus:a","weight":0.5},{"from":"dir:/b/x","weight":0.5,"fingerprint":"1"}]}""", true)]
    [InlineData(
        """{"sources":[{"from":"corpus:a","weight":0.5},{"from":"dir:/a/x","weight":0.5,"fingerprint":"1"}]}""",
        """{"sources":[{"from":"corpus:a","weight":0.4},{"from":"dir:/a/x","weight":0.6,"fingerprint":"1"}]}""", false)]
    public void KeyOf_OwnFileMoved_IsTheSameOnlyWhenItsContentIsKnown(string before, string now, bool same) =>
        (Key(before, StageKinds.Dataset).ToDigest() == Key(now, StageKinds.Dataset).ToDigest()).ShouldBe(same);

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

    [Theory]
    [InlineData(StageKinds.Prune, """{"ratio":0.25,"method":"heapr"}""", "cdfd2bfd7d524e935fc2d14803343e18373dd0a5328c61256c8065324db6e7f3")]
    [InlineData(StageKinds.Evaluate, """{"tasks":["routing"],"length":null}""", "ca5e6ee70093772634d24742acab694493d05cc8552fad2412677af4265219f0")]
    [InlineData(
        StageKinds.Dataset,
        """{"source":"dir:/a/b/texts/","fingerprint":"1","limit":5}""",
        "74131b60b84442b76ab7417d6d008d62a10e24bcd90045164083dae69b37b1f0")]
    public void KeyOf_KnownWork_KeepsItsKey(string kind, string options, string digest) =>
        Key(options, kind).ToDigest().Hex.ShouldBe(digest);

    [Fact]
    public void Pipelines_NameNoStageKind() =>
        Directory.EnumerateFiles(Path.Combine(Repository(), "shared", "Pipelines"), "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal))
            .Where(f => File.ReadAllText(f).Contains(nameof(StageKinds) + ".", StringComparison.Ordinal))
            .ShouldBeEmpty("stages say themselves what planning has to know");

    private static string Repository()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Platform.sln")))
            folder = Path.GetDirectoryName(folder)!;
        return folder;
    }

    private static StepKey Key(string options, string kind = StageKinds.Prune, string step = "base") => new StageCode(kind, "v", "cpu", TraitsOf(kind))
        .KeyOf(JsonDocument.Parse(options).RootElement, [new StepInput(step, "model", Model)]);

    private static StageTraits TraitsOf(string kind) => SampleStages.All.Single(s => s.Kind == kind).Traits;
}
