using Espalier.Modeling;
using Espalier.Surgery.Checkpoints;
using Espalier.TestKit.Models;
using Espalier.Upcycler.Growth;
using Espalier.Upcycler.Routers;
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
        foreach (var (method, preserve) in new[] { ("copy", "frozen"), ("copy", "sibling-exclusive"),
            ("copy", "wide"), ("utility", "frozen"), ("utility", "sibling-exclusive") })
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

    [Theory]
    [InlineData(ScoreFunction.Softmax, true)]
    [InlineData(ScoreFunction.Softmax, false)]
    [InlineData(ScoreFunction.Sigmoid, true)]
    [InlineData(ScoreFunction.Sigmoid, false)]
    public async Task Preserve_FrozenWithSelectionBias_KeepsLogits(ScoreFunction scores, bool normalize)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { ScoreFunction = scores, NormalizeTopK = normalize }, selectionBias: true);

        var difference = await DifferenceAsync(tiny, """{"method":"copy","preserve":"frozen","multiplier":4,"seed":1}""");

        difference.ShouldBeLessThan(Tolerance);
    }

    [Fact]
    public void Freeze_SelectionBiasOfAnySize_KeepsCopiesBelowEverySource()
    {
        var router = new RouterWeights(0, 1, [0.1f, 0.2f, 0.1f, 0.2f], null, [-7f, 50f, -7f, 50f]);

        var frozen = FrozenReplicas.Freeze(router, 2, [1f]);

        frozen.SelectionBias.ShouldBe([-7f, 50f, -8f, -8f]);
        frozen.Bias!.Skip(2).ShouldAllBe(bias => bias < -40);
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

    internal static async Task<double> DifferenceAsync(TinyCheckpoint tiny, string options)
    {
        var result = await UpcycleStageTests.RunAsync(tiny, options);
        using var source = DecoderFiles.LoadDecoder((await tiny.OpenAsync(tiny.Model)).Reader, "source");
        using var grown = DecoderFiles.LoadDecoder((await tiny.OpenAsync(result.Outputs["model"])).Reader, "grown");
        using var scope = NewDisposeScope(); // scopes and gradient modes belong to a thread: no await from here on
        using var untracked = no_grad();
        var tokens = randint(0, tiny.Config.VocabularySize, [4, 32], dtype: int64, generator: new Generator(7));
        var before = source.Forward(tokens).Logits;
        before.abs().max().item<float>().ShouldBeGreaterThan(0.1f);
        return (grown.Forward(tokens).Logits - before).abs().max().item<float>();
    }
}
