using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages.Checkpoints;
using Espalier.SurgeryTests;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Tests.Growth;

/// <summary>The grown model against its source on the same tokens, through the decoder that training uses.</summary>
public sealed class ExactStartTests
{
    private const double Tolerance = 1e-5;

    public static TheoryData<string, string, bool, int> Exact()
    {
        var data = new TheoryData<string, string, bool, int>();
        foreach (var (method, preserve) in new[] { ("copy", "frozen"), ("copy", "sibling-exclusive"), ("copy", "wide"), ("utility", "frozen"), ("utility", "sibling-exclusive") })
            foreach (var normalize in new[] { true, false })
                foreach (var multiplier in new[] { 2, 4 })
                    data.Add(method, preserve, normalize, multiplier);
        return data;
    }

    [Theory]
    [MemberData(nameof(Exact))]
    public async Task Preserve_SoftmaxGates_KeepsLogits(string method, string preserve, bool normalize, int multiplier)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { NormalizeTopK = normalize });

        var difference = await DifferenceAsync(tiny, $$"""{"method":"{{method}}","preserve":"{{preserve}}","multiplier":{{multiplier}},"seed":1}""");

        difference.ShouldBeLessThan(Tolerance);
    }

    [Theory]
    [InlineData("frozen", true)]
    [InlineData("frozen", false)]
    [InlineData("sibling-exclusive", true)]
    [InlineData("sibling-exclusive", false)]
    [InlineData("wide", true)]
    public async Task Preserve_SigmoidGates_KeepsLogits(string preserve, bool normalize)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { NormalizeTopK = normalize, ScoreFunction = ScoreFunction.Sigmoid });

        var difference = await DifferenceAsync(tiny, $$"""{"method":"copy","preserve":"{{preserve}}","seed":1}""");

        difference.ShouldBeLessThan(Tolerance);
    }

    [Theory]
    [InlineData("sibling-exclusive")]
    [InlineData("wide")]
    public async Task Preserve_WithSelectionBias_KeepsLogits(string preserve)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(selectionBias: true);

        var difference = await DifferenceAsync(tiny, $$"""{"method":"copy","preserve":"{{preserve}}","seed":1}""");

        difference.ShouldBeLessThan(Tolerance);
    }

    [Fact]
    public async Task Preserve_FrozenWithNoisyCopies_KeepsLogits()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var difference = await DifferenceAsync(tiny, """{"method":"copy","preserve":"frozen","router":{"method":"copy-noise","noise":0.5},"seed":1}""");

        difference.ShouldBeLessThan(Tolerance);
    }

    [Fact]
    public async Task NoPreserve_CopiesCrowdOutSources_ChangesLogits()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var difference = await DifferenceAsync(tiny, """{"method":"copy","seed":1}""");

        difference.ShouldBeGreaterThan(0.01);
    }

    [Fact]
    public async Task Preserve_Wide_RemembersWhereToReturn()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await UpcycleStageTests.RunAsync(tiny, """{"method":"copy","preserve":"wide","multiplier":4,"seed":1}""");

        var config = (await tiny.OpenAsync(result.Outputs["model"])).Config;
        (config.ExpertsPerToken, config.TargetExpertsPerToken).ShouldBe((8, 2));
    }

    private static async Task<double> DifferenceAsync(TinyCheckpoint tiny, string options)
    {
        var result = await UpcycleStageTests.RunAsync(tiny, options);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var tokens = randint(0, tiny.Config.VocabularySize, [4, 32], dtype: int64, generator: new Generator(7));
        var before = await LogitsAsync(tiny, tiny.Model, tokens);
        var after = await LogitsAsync(tiny, result.Outputs["model"], tokens);
        before.abs().max().item<float>().ShouldBeGreaterThan(0.1f);
        return (after - before).abs().max().item<float>();
    }

    private static async Task<Tensor> LogitsAsync(TinyCheckpoint tiny, ManifestRef model, Tensor tokens)
    {
        using var decoder = DecoderFiles.LoadDecoder((await tiny.OpenAsync(model)).Reader, "model");
        return decoder.Forward(tokens).Logits;
    }
}
