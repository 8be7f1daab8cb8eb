using System.Text.Json;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Surgery.Estimates;

namespace Espalier.CptTrainer.Tests;

/// <summary>What <c>plan</c> says of a training step with a teacher.</summary>
public sealed class TeacherEstimateTests
{
    private static readonly ModelHeader Student = ModelHeader.Of(ModelConfig.Tiny(257), hasRouterBias: false, hasSelectionBias: false);

    [Fact]
    public void Estimate_Teacher_CountsItsWeightsAndItsForwardPass()
    {
        var teacher = ModelHeader.Of(ModelConfig.Tiny(257) with { Experts = 64 }, hasRouterBias: false, hasSelectionBias: false);

        var (alone, taught) = (Estimate("{}"), Estimate("{}", teacher));
        var features = Estimate("""{"distill":{"features":1}}""", teacher);

        (taught.MemoryBytes - alone.MemoryBytes).ShouldBeInRange(4 * teacher.Config.TotalParameters, 4 * teacher.Config.TotalParameters + (8 << 20));
        (taught.Operations - alone.Operations).ShouldBe(2.0 * teacher.Config.ActiveParameters * 1024);
        (features.MemoryBytes - taught.MemoryBytes).ShouldBe(4 * 2 * 64 * 32);
        taught.Model!.SizeBytes.ShouldBe(alone.Model!.SizeBytes);
    }

    [Theory]
    [InlineData(300, 2, "{}", "vocabulary of 300 tokens")]
    [InlineData(257, 3, """{"distill":{"features":1}}""", "distill.features")]
    public void Estimate_TeacherThatDoesNotFit_IsRefused(int vocabulary, int layers, string options, string expected)
    {
        var teacher = ModelHeader.Of(ModelConfig.Tiny(vocabulary) with { Layers = layers }, hasRouterBias: false, hasSelectionBias: false);

        Should.Throw<UserInputException>(() => Estimate(options, teacher)).Message.ShouldContain(expected);
    }

    private static StepEstimate Estimate(string options, ModelHeader? teacher = null)
    {
        var all = TrainingBench.Options(options, model: null);
        List<EstimateInput> inputs = [new("data", "data", null), new("model", "base", Student)];
        if (teacher is not null)
            inputs.Insert(0, new EstimateInput("teacher", "big", teacher));
        return new TrainEstimate().Estimate(new EstimateRequest("cpt", JsonSerializer.SerializeToElement(all), inputs));
    }
}
