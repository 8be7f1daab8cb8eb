using Espalier.Stages.Methods;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Metrics;
using Espalier.Upcycler.Planning;
using Espalier.Upcycler.ExpertSelection;

namespace Espalier.Upcycler.Tests.Planning;

public sealed class LayerPlannerTests
{
    [Fact]
    public void Plan_UniformTimesFour_TwoDoublingsAndFourDescendantsEach()
    {
        var plan = Plan(new UpcycleOptions { Method = "copy", Multiplier = 4 }, []);

        plan.Doublings.Count.ShouldBe(2);
        plan.Counts().ShouldBe([4, 4, 4, 4]);
        plan.SourceOf.Take(4).ShouldBe([0, 1, 2, 3]);
    }

    [Fact]
    public void Plan_UtilityCapThree_CopiesTheBestThreeTimes()
    {
        var plan = Plan(new UpcycleOptions(), [5, 1, 4, 2]);

        plan.SourceOf.ShouldBe([0, 1, 2, 3, 0, 0, 0, 2]);
        plan.Counts().ShouldBe([4, 1, 2, 1]);
    }

    [Fact]
    public void Plan_SecondDoublingByGradient_CopiesShareTheScore()
    {
        var plan = Plan(new UpcycleOptions { Multiplier = 4, Metric = "gradient-squared" }, [5, 1, 4, 2]);

        plan.Doublings[1].Scores.ShouldBe([1.25, 1, 2, 2, 1.25, 1.25, 1.25, 2]);
    }

    [Fact]
    public void Plan_SecondDoublingByWeight_CopiesScoreAsTheirSource()
    {
        var plan = Plan(new UpcycleOptions { Multiplier = 4 }, [5, 1, 4, 2]);

        plan.Doublings[1].Scores.ShouldBe([5, 1, 4, 2, 5, 5, 5, 4]);
    }

    [Fact]
    public void Plan_Counts_GiveEverySourceItsNumberOfExperts()
    {
        var plan = Plan(new UpcycleOptions { Counts = [3, 1, 2, 1] }, []);

        plan.SourceOf.ShouldBe([0, 1, 2, 3, 0, 2, 0]);
        plan.Counts().ShouldBe([3, 1, 2, 1]);
    }

    private static LayerPlan Plan(UpcycleOptions options, double[] scores) => new LayerPlanner(
        MethodCatalog<IExpertSelection>.Get(options.Method, "method"),
        MethodCatalog<IUsefulnessMetric>.Get(options.Metric, "metric"),
        MethodCatalog<ISlotSelection>.Get(options.Selection, "selection"),
        options).Plan(0, 4, scores);
}
