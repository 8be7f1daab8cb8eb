using System.Text.Json;
using Espalier.Contracts;
using Espalier.CptTrainer.Options;
using Espalier.CptTrainer.Training;
using Espalier.Modeling;

namespace Espalier.CptTrainer.Tests;

public sealed class StepLawTests
{
    [Fact]
    public void LearningRateAndBatch_OfTheHandbook()
    {
        StepLaw.LearningRate(1e9, 1e11).ShouldBe(1.632e-3, 0.5e-6);
        StepLaw.BatchTokens(1e11).ShouldBe(1.108e6, 0.5e3);
    }

    [Fact]
    public void Resolve_AutoBatch_IsCutWhereActivationsAreTooMany()
    {
        var options = Read("""{"data":"file:text","tokens":100000000000,"length":4096,"batch":"auto","learning-rate":"auto"}""");
        var config = ModelConfig.Tiny(vocabulary: 50_000) with { HiddenSize = 1024, HeadSize = 256, ExpertSize = 2048, Layers = 16, MaxPositions = 4096 };

        var resolved = StepLaw.Resolve(options, config);

        ((double)resolved.Batch * resolved.Accumulate * 4096).ShouldBe(1.108e6, 0.01e6);
        resolved.Accumulate.ShouldBeGreaterThan(1);
        resolved.LearningRate.ShouldBe(StepLaw.LearningRate(config.TotalParameters - 2 * 50_000 * 1024, 1e11), 1e-5);
        StepLaw.Describe(options, resolved).ShouldAllBe(sentence => sentence.Contains("auto is"));
    }

    [Fact]
    public void Resolve_FewTokens_HasSteps()
    {
        var resolved = StepLaw.Resolve(Read("""{"data":"file:text","tokens":1000,"length":16,"batch":"auto"}"""), ModelConfig.Tiny());

        TrainPlan.Of(resolved).Steps.ShouldBeGreaterThanOrEqualTo(10);
    }

    [Fact]
    public void Resolve_NumbersThatAreGiven_Stay()
    {
        var options = Read("""{"data":"file:text","tokens":1000,"batch":5,"learning-rate":0.25}""");

        var resolved = StepLaw.Resolve(options, ModelConfig.Tiny());

        (resolved.Batch, resolved.LearningRate).ShouldBe((5, 0.25));
        StepLaw.Describe(options, resolved).ShouldBeEmpty();
    }

    [Fact]
    public void Resolve_AutoBatchInSoManyParts_IsRefused()
    {
        var options = Read("""{"data":"file:text","tokens":1000,"batch":"auto","accumulate":2}""");

        Should.Throw<UserInputException>(() => StepLaw.Resolve(options, ModelConfig.Tiny())).Message.ShouldContain("batch: auto");
    }

    [Fact]
    public void Options_WrittenAndRead_KeepTheWord()
    {
        var options = Read("""{"data":"file:text","tokens":1000,"batch":"auto","learning-rate":"auto","only":"routers"}""");

        var written = JsonSerializer.SerializeToElement(options, WireJson.Options);

        written.GetProperty("batch").GetString().ShouldBe("auto");
        written.GetProperty("learning-rate").GetString().ShouldBe("auto");
        written.GetProperty("only").GetArrayLength().ShouldBe(1);
    }

    private static TrainOptions Read(string json) => JsonSerializer.Deserialize<TrainOptions>(json, WireJson.Options)!;
}
