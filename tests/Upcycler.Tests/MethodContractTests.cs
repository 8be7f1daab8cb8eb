using Espalier.Pipelines.Options;
using Espalier.Stages.Methods;
using Espalier.Stages.Surgery;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Metrics;
using Espalier.Upcycler.Routers;
using Espalier.Upcycler.Selections;

namespace Espalier.Upcycler.Tests;

/// <summary>What every discovered method must do; a new file is covered by being there.</summary>
public sealed class MethodContractTests
{
    public static TheoryData<string> Routers => [.. MethodCatalog<IRouterExtension>.Names];

    public static TheoryData<string> Methods => [.. MethodCatalog<IUpcycleMethod>.Names];

    public static TheoryData<string> Selections => [.. MethodCatalog<ISelection>.Names];

    public static TheoryData<string> Metrics => [.. MethodCatalog<IUsefulnessMetric>.Names];

    [Fact]
    public void Schema_Choices_AreTheDiscoveredMethods()
    {
        var schema = OptionSchema.For(typeof(UpcycleOptions)).Properties!;

        schema["method"].Choices!.Order().ShouldBe(MethodCatalog<IUpcycleMethod>.Names);
        schema["metric"].Choices!.Order().ShouldBe(MethodCatalog<IUsefulnessMetric>.Names);
        schema["selection"].Choices!.Order().ShouldBe(MethodCatalog<ISelection>.Names);
        schema["router"].Properties!["method"].Choices!.Order().ShouldBe(MethodCatalog<IRouterExtension>.Names);
    }

    [Fact]
    public void Every_Method_IsExplained()
    {
        IStageMethod[] all = [.. MethodCatalog<IUpcycleMethod>.All, .. MethodCatalog<IUsefulnessMetric>.All, .. MethodCatalog<ISelection>.All, .. MethodCatalog<IRouterExtension>.All];

        all.ShouldAllBe(m => m.Summary.Length > 20 && m.Summary.EndsWith('.'));
        all.ShouldAllBe(m => m.Name.All(c => char.IsAsciiLetterLower(c) || c == '-'));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Choose_EveryMethod_GivesOneValidSourcePerSlot(string name)
    {
        var method = MethodCatalog<IUpcycleMethod>.Get(name, "method");

        var order = method.Choose(6, [3, 1, 2, 6, 5, 4], new Greedy(), new UpcycleOptions(), new KeyedRandom(1, 0, "selection"));

        order.Length.ShouldBe(6);
        order.ShouldAllBe(source => source >= 0 && source < 6);
    }

    [Theory]
    [MemberData(nameof(Selections))]
    public void Select_EverySelection_KeepsTheCapWithinARound(string name)
    {
        var selection = MethodCatalog<ISelection>.Get(name, "selection");

        var order = selection.Select([3, 1, 2, 6, 5, 4], 12, new UpcycleOptions { MaxCopies = 2 }, new KeyedRandom(1, 0, "selection"));

        order.CountBy(e => e).ShouldAllBe(c => c.Value == 2);
    }

    [Theory]
    [MemberData(nameof(Metrics))]
    public void Score_EveryMetric_IsFiniteAndGrowsWithUse(string name)
    {
        var metric = MethodCatalog<IUsefulnessMetric>.Get(name, "metric");

        metric.Score(new HalfNorms(0, 0, 0)).ShouldBe(0);
        metric.Score(new HalfNorms(2, 2, 1)).ShouldBeGreaterThan(metric.Score(new HalfNorms(1, 1, 1)));
    }

    [Theory]
    [MemberData(nameof(Routers))]
    public void Extend_EveryRouter_KeepsSourceRowsAndTakesRowsOfTheOrder(string name)
    {
        var router = new RouterWeights(0, 3, [.. Enumerable.Range(0, 9).Select(i => i / 10f)], null, [1, 2, 3]);
        var method = MethodCatalog<IRouterExtension>.Get(name, "router.method");

        var grown = method.Extend(router, [2, 2, 0], method.DefaultNoise, new KeyedRandom(1, 0, "router"));

        grown.Rows.Take(9).ShouldBe(router.Rows);
        grown.SelectionBias.ShouldBe([1, 2, 3, 3, 3, 1]);
        foreach (var (expert, source) in new[] { (3, 2), (4, 2), (5, 0) })
            for (var i = 0; i < 3; i++)
                grown.Row(expert)[i].ShouldBe(router.Row(source)[i], 0.1);
        var differs = Enumerable.Range(3, 3).All(e =>
            !grown.Row(e).SequenceEqual(router.Row(e == 5 ? 0 : 2)) || grown.Bias is { } bias && bias[e] != 0);
        differs.ShouldBe(method.BreaksTies);
    }

    [Theory]
    [MemberData(nameof(Routers))]
    public void Extend_SameKey_SameBytes(string name)
    {
        var router = new RouterWeights(0, 3, [.. Enumerable.Range(0, 9).Select(i => i / 10f)], null, null);
        var method = MethodCatalog<IRouterExtension>.Get(name, "router.method");

        var (a, b) = (method.Extend(router, [0, 1, 2], 0.1, new KeyedRandom(1, 0, "router")), method.Extend(router, [0, 1, 2], 0.1, new KeyedRandom(1, 0, "router")));

        a.Rows.ShouldBe(b.Rows);
        a.Bias.ShouldBe(b.Bias);
    }
}
