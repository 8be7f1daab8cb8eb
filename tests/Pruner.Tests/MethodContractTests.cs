using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;
using Espalier.Pruner.Methods;
using Espalier.Stages.Methods;

namespace Espalier.Pruner.Tests;

/// <summary>What every discovered method must do; a new file is covered by being there.</summary>
public sealed class MethodContractTests
{
    public static TheoryData<string> Methods => [.. MethodCatalog<IPruningMethod>.Names];

    [Fact]
    public void Schema_Choices_AreTheDiscoveredMethods() =>
        OptionSchema.For(typeof(PruneOptions)).Properties!["method"].Choices!.Order().ShouldBe(MethodCatalog<IPruningMethod>.Names);

    [Theory]
    [MemberData(nameof(Methods))]
    public void Summary_EveryMethod_IsASentence(string name)
    {
        var method = MethodCatalog<IPruningMethod>.Get(name, "method");

        method.Summary.Length.ShouldBeGreaterThan(20);
        method.Summary.ShouldEndWith(".");
        method.Granularities.ShouldNotBeEmpty();
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Score_EveryMethod_HasTheRightShapeAndIsRepeatable(string name)
    {
        var method = MethodCatalog<IPruningMethod>.Get(name, "method");
        foreach (var granularity in method.Granularities)
        {
            var request = new ScoreRequest(1, granularity, 7, default);

            var scores = method.Score(new LayerSums(3, 5), request);

            scores.Length.ShouldBe(granularity == Granularity.Expert ? 3 : 15);
            scores.ShouldAllBe(s => double.IsFinite(s));
            method.Score(new LayerSums(3, 5), request).ShouldBe(scores);
        }
    }
}
