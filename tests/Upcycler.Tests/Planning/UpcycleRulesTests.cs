using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.SurgeryTests;

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
    [InlineData("""{"optimizer-state":"scale"}""", "optimizer-state: scale is not available yet")]
    [InlineData("""{"router":{"method":"bias-only","noise":0}}""", "adds nothing")]
    [InlineData("""{"method":"copy","preserve":"wide","router":{"method":"copy-noise"}}""", "Use router method copy")]
    [InlineData("""{"method":"copy","preserve":"sibling-exclusive","router":{"method":"bias-only"}}""", "Use router method copy")]
    [InlineData("""{"method":"utility","preserve":"wide"}""", "Use method copy")]
    [InlineData("""{"metric":"gradient-squared","calibration":{"data":"file:x","samples":4,"batches":10}}""", "Raise samples")]
    [InlineData("""{"method":"magic"}""", "Choose one of: copy, utility")]
    public async Task Run_CombinationThatCannotWork_SaysWhatWould(string options, string remedy)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var error = await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, options));

        error.Message.ShouldContain(remedy);
        tiny.Cursor.Position.ShouldBeNull();
    }

    [Fact]
    public async Task Run_SeveralProblems_ReportsAll()
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        var error = await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, """{"multiplier":6,"metric":"approx-fisher","optimizer-state":"copy"}"""));

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
