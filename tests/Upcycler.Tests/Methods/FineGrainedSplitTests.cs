using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Stages;
using Espalier.TestKit.Models;

namespace Espalier.Upcycler.Tests.Methods;

public sealed class FineGrainedSplitTests
{
    [Theory]
    [InlineData(ScoreFunction.Softmax, true, false)]
    [InlineData(ScoreFunction.Softmax, false, true)]
    [InlineData(ScoreFunction.Sigmoid, true, true)]
    [InlineData(ScoreFunction.Sigmoid, false, false)]
    public async Task Split_Mixture_KeepsLogits(ScoreFunction scores, bool normalize, bool selectionBias)
    {
        using var tiny = await TinyCheckpoint.CreateAsync(
            ModelConfig.Tiny() with { ScoreFunction = scores, NormalizeTopK = normalize }, selectionBias: selectionBias, routerBias: true);

        var (result, difference) = await GrownModels.GrowAsync(tiny, """{"method":"split","shards":4,"partition":"random","seed":1}""");

        difference.ShouldBeLessThan(1e-4);
        var config = (await tiny.OpenAsync(result.Outputs["model"])).Config;
        (config.Experts, config.ExpertsPerToken, config.ExpertSize).ShouldBe((16, 8, 6));
        result.Metrics["active-parameters"].ShouldBe(tiny.Config.ActiveParameters + 2 * (12 * 32)); // router rows alone
    }

    [Theory]
    [InlineData("""{"method":"split","shards":4,"seed":1}""", 4, 4)]
    [InlineData("""{"method":"split","shards":4,"copies":3,"seed":1}""", 12, 4)]              // one replica per token
    [InlineData("""{"method":"split","shards":4,"copies":3,"active":2,"seed":1}""", 12, 8)]
    [InlineData("""{"method":"split","shards":4,"copies":2,"shared":1,"seed":1}""", 6, 3)]
    public async Task Split_Dense_KeepsLogits(string options, int experts, int perToken)
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense("qwen3"));

        var (result, difference) = await GrownModels.GrowAsync(tiny, options);

        difference.ShouldBeLessThan(1e-5);
        var config = (await tiny.OpenAsync(result.Outputs["model"])).Config;
        (config.Experts, config.ExpertsPerToken).ShouldBe((experts, perToken));
    }

    [Theory]
    [InlineData("""{"method":"split","shards":7}""", "Use 2, 3, 4, 6, 8")]
    [InlineData("""{"method":"split","copies":2}""", "more experts come from method copy")]
    public async Task Split_ThatCannotWork_SaysWhatWould(string options, string remedy)
    {
        using var tiny = await TinyCheckpoint.CreateAsync();

        (await Should.ThrowAsync<UserInputException>(() => UpcycleStageTests.RunAsync(tiny, options))).Message.ShouldContain(remedy);
    }

    [Fact]
    public async Task Grow_DepthThenExpertsTwice_KeepsLogitsAndLineage()
    {
        using var tiny = await GrownModels.StoreAsync(GrownModels.Dense("qwen3"));
        var first = tiny.Inputs[0].Artifact;

        foreach (var options in new[]
        {
            """{"method":"depth","start":"zero","seed":1}""",
            """{"method":"split","shards":2,"copies":4,"seed":1}""",                           // 8 experts
            """{"method":"copy","preserve":"sibling-exclusive","seed":1}""",                   // 16
        })
            tiny.Inputs[0] = new StepInput("base", OutputNames.Model, (await UpcycleStageTests.RunAsync(tiny, options)).Outputs["model"]);

        (await GrownModels.DifferenceAsync(tiny, first, tiny.Inputs[0].Artifact)).ShouldBeLessThan(1e-5);
        var config = (await tiny.OpenAsync(tiny.Inputs[0].Artifact)).Config;
        (config.Layers, config.Experts).ShouldBe((4, 16));
    }

    [Fact]
    public async Task Grow_EightToSixteenToThirtyTwo_InTwoSteps()
    {
        using var tiny = await GrownModels.StoreAsync(ModelConfig.Tiny() with { Experts = 8, NormalizeTopK = true, InitializerRange = 0.2 });

        foreach (var _ in Enumerable.Range(0, 2))
            tiny.Inputs[0] = new StepInput(
                "base", OutputNames.Model, (await UpcycleStageTests.RunAsync(tiny, """{"method":"copy","seed":1}""")).Outputs["model"]);

        var model = await tiny.OpenAsync(tiny.Inputs[0].Artifact);
        model.Config.Experts.ShouldBe(32);
        Enumerable.Range(0, 32).Select(e => model.Projection(0, e, "up").Blob).Distinct().Count()
            .ShouldBe(Enumerable.Range(0, 8).Select(e => model.Projection(0, e, "up").Blob).Distinct().Count());
    }
}
