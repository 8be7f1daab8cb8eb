using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Pipelines.Options;
using Espalier.TestKit.Models;

namespace Espalier.Upcycler.Tests.Planning;

/// <summary>Combinations that cannot work, through the stage: refused with the remedy, and before a tensor is read.</summary>
public sealed class UpcycleRulesTests
{
    [Theory]
    [InlineData("""{"multiplier":3}""", "Use 2, 4, 8")]
    [InlineData("""{"metric":"gradient-squared"}""", "add calibration")]
    [InlineData("""{"metric":"weight-grad-product"}""", "add calibration")]
    [InlineData("""{"metric":"approx-fisher","calibration":{"data":"file:x"}}""", "second moments")]
    [InlineData("""{"method":"copy","calibration":{"data":"file:x"},"optimizer-state":"copy"}""", "trainer-state")]
    [InlineData("""{"optimizer-state":"scale"}""", "optimizer-state: scale needs the source's trainer-state")]
    [InlineData("""{"optimizer-state":"interpolate"}""", "optimizer-state: interpolate needs the source's trainer-state")]
    [InlineData("""{"multiplier":1}""", "Use 2, 4, 8")]
    [InlineData("""{"counts":[1,1,1]}""", "3 numbers for 4 experts")]
    [InlineData("""{"counts":[1,1,1,1]}""", "nothing grows")]
    [InlineData("""{"counts":[2,1,1,1],"multiplier":2}""", "Leave multiplier out")]
    [InlineData("""{"layer-plans":[{"layers":[7]}]}""", "there is no layer 7")]
    [InlineData("""{"layer-plans":[{"layers":[0]},{"layers":[0,1]}]}""", "layer 0 is in more than one plan")]
    [InlineData("""{"layer-plans":[{"layers":[0],"counts":[2,1,1,1]}]}""", "5 and 8 experts")]
    [InlineData("""{"method":"copy","duplication":{"method":"copy-noise","mix":0.5}}""", "duplication.mix: method copy-noise does not use it. It uses: noise.")]
    [InlineData("""{"method":"copy","router":{"method":"adversarial","noise":0.5}}""",
        "router.noise: router method adversarial does not use it. It uses: strength.")]
    [InlineData("""{"method":"copy","preserve":"sibling-exclusive","duplication":{"method":"drop-upcycle"}}""", "Use duplication copy, or preserve frozen")]
    [InlineData("""{"counts":[2,1,1,1],"preserve":"wide"}""", "copied equally often")]
    [InlineData("""{"metric":"gradient-norm"}""", "Choose one of: approx-fisher, gradient-squared, weight-grad-product, weight-norm")]
    [InlineData("""{"method":"copy","router":{"method":"bias"}}""", "Choose one of: adversarial, bias-only, copy")]
    [InlineData("""{"method":"copy","duplication":{"method":"magic"}}""", "Choose one of: copy, copy-noise, drop-upcycle")]
    [InlineData("""{"router":{"method":"bias-only","noise":0}}""", "adds nothing")]
    [InlineData("""{"method":"copy","preserve":"wide","router":{"method":"copy-noise"}}""", "Use router method copy")]
    [InlineData("""{"method":"copy","preserve":"sibling-exclusive","router":{"method":"bias-only"}}""", "Use router method copy")]
    [InlineData("""{"method":"utility","preserve":"wide"}""", "Use method copy")]
    [InlineData("""{"metric":"gradient-squared","calibration":{"data":"file:x","samples":4,"batches":10}}""", "Raise samples")]
    [InlineData("""{"method":"magic"}""", "Choose one of: copy, depth")]
    public async Task Run_CombinationThatCannotWork_SaysWhatWould(string options, string remedy)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var error = await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, options));

        error.Message.ShouldContain(remedy);
        tiny.Cursor.Position.ShouldBeNull();
    }

    [Theory]
    [InlineData("""{"method":"copy","preserve":"wide"}""", "Use preserve frozen")]
    [InlineData("""{"method":"copy","preserve":"sibling-exclusive"}""", "Use preserve frozen")]
    [InlineData("""{"method":"split","shards":2}""", "Train the model with 'top-p: 1' first")]
    public async Task Run_ModelWithTopP_IsNotGrownByWhatWouldChangeIt(string options, string remedy)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { TopP = 0.4 });

        (await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, options))).Message.ShouldContain(remedy);
    }

    [Fact]
    public async Task Run_SeveralProblems_ReportsAll()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var error = await Should.ThrowAsync<UserInputException>(() =>
            UpcycleStageTests.RunAsync(tiny, """{"multiplier":6,"metric":"approx-fisher","optimizer-state":"copy"}"""));

        error.Problems.Count.ShouldBe(4);
    }

    [Fact]
    public async Task Run_PlainCopyWithEvenTopK_IsASymmetryLock()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var error = await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, """{"method":"copy","router":{"method":"copy"}}"""));

        error.Message.ShouldContain("Symmetry lock");
        error.Message.ShouldContain("copy-noise or bias-only, or preserve sibling-exclusive; set allow-symmetry-lock: true");
    }

    [Fact]
    public async Task Run_NoisyExperts_AreNoSymmetryLock()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await UpcycleStageTests.RunAsync(tiny, """{"method":"copy","router":{"method":"copy"},"duplication":{"method":"copy-noise"}}""");

        result.Metrics["experts"].ShouldBe(8);
    }

    [Theory]
    [InlineData("interpolate")]
    [InlineData("svd-mix")]
    [InlineData("sparse-code-mix")]
    public async Task Run_PeersThatDoNotExist_AreAskedFor(string duplication)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { Experts = 1, ExpertsPerToken = 1 });

        var error = await Should.ThrowAsync<UserInputException>(() =>
            UpcycleStageTests.RunAsync(tiny, "{\"method\":\"copy\",\"duplication\":{\"method\":\"" + duplication + "\"}}"));

        error.Message.ShouldContain("needs a second expert");
    }

    [Theory]
    [InlineData("""{"router":{"method":"bias-only","noise-to-original":true}}""", "noise-to-original")]
    [InlineData("""{"metrics":"weight-norm"}""", "metrics")]
    public void Options_UnknownKey_IsRefused(string options, string named)
    {
        Should.Throw<UserInputException>(() => OptionReader.Parse(OptionSchema.For(typeof(UpcycleOptions)), options, "options")).Message.ShouldContain(named);
    }

    [Fact]
    public async Task Run_SymmetryLockAllowed_Grows()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var result = await UpcycleStageTests.RunAsync(tiny, """{"method":"copy","router":{"method":"copy"},"allow-symmetry-lock":true}""");

        result.Metrics["experts"].ShouldBe(8);
    }

    [Fact]
    public async Task Run_OddTopK_NeedsNoNoise()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { ExpertsPerToken = 3 });

        var result = await UpcycleStageTests.RunAsync(tiny, """{"method":"copy","router":{"method":"copy"}}""");

        result.Metrics["experts"].ShouldBe(8);
    }

    [Fact]
    public async Task Run_WideWithPlainSigmoidGates_IsRefused()
    {
        using var tiny = await TinyCheckpoint.CreateAsync(ModelConfig.Tiny() with { ScoreFunction = ScoreFunction.Sigmoid });

        var error = await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, """{"method":"copy","preserve":"wide"}"""));

        error.Message.ShouldContain("Use sibling-exclusive");
    }
}
