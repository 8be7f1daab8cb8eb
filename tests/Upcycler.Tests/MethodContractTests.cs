using Espalier.Pipelines.Options;
using Espalier.Stages.Methods;
using Espalier.Surgery;
using Espalier.Contracts;
using Espalier.Upcycler.Duplication;
using Espalier.Upcycler.Methods;
using Espalier.Upcycler.Metrics;
using Espalier.Upcycler.Planning;
using Espalier.Upcycler.Routers;
using Espalier.Upcycler.ExpertSelection;
using Espalier.Modeling.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Upcycler.Tests;

/// <summary>What every discovered method must do; a new file is covered by being there.</summary>
public sealed class MethodContractTests
{
    public static TheoryData<string> Routers => [.. MethodCatalog<IRouterExtension>.Names];

    public static TheoryData<string> Methods => [.. MethodCatalog<IExpertSelection>.Names];

    public static TheoryData<string> Duplications => [.. MethodCatalog<IExpertDuplication>.Names];

    public static TheoryData<string> Selections => [.. MethodCatalog<ISlotSelection>.Names];

    public static TheoryData<string> Metrics => [.. MethodCatalog<IUsefulnessMetric>.Names];

    [Fact]
    public void Schema_Choices_AreTheDiscoveredMethods()
    {
        var schema = OptionSchema.For(typeof(UpcycleOptions)).Properties!;

        schema["method"].Choices!.Order().ShouldBe(MethodCatalog<IUpcycleMethod>.Names);
        schema["metric"].Choices!.Order().ShouldBe(MethodCatalog<IUsefulnessMetric>.Names);
        schema["selection"].Choices!.Order().ShouldBe(MethodCatalog<ISlotSelection>.Names);
        schema["duplication"].Properties!["method"].Choices!.Order().ShouldBe(MethodCatalog<IExpertDuplication>.Names);
        schema["router"].Properties!["method"].Choices!.Order().ShouldBe(MethodCatalog<IRouterExtension>.Names);
    }

    [Fact]
    public void Every_Method_IsExplained()
    {
        IStageMethod[] all = [.. MethodCatalog<IUpcycleMethod>.All, .. MethodCatalog<IUsefulnessMetric>.All,
            .. MethodCatalog<ISlotSelection>.All, .. MethodCatalog<IRouterExtension>.All, .. MethodCatalog<IExpertDuplication>.All];

        all.ShouldAllBe(m => m.Summary.Length > 20 && m.Summary.EndsWith('.'));
        all.ShouldAllBe(m => m.Name.All(c => char.IsAsciiLetterLower(c) || c == '-'));
    }

    [Theory]
    [MemberData(nameof(Methods))]
    public void Choose_EveryMethod_GivesOneValidSourcePerSlot(string name)
    {
        var method = MethodCatalog<IExpertSelection>.Get(name, "method");

        var order = method.Choose(6, [3, 1, 2, 6, 5, 4], new Greedy(), new UpcycleOptions(), new KeyedRandom(1, 0, "selection"));

        order.Length.ShouldBe(6);
        order.ShouldAllBe(source => source >= 0 && source < 6);
    }

    [Theory]
    [MemberData(nameof(Selections))]
    public void Select_EverySelection_KeepsTheCapWithinARound(string name)
    {
        var selection = MethodCatalog<ISlotSelection>.Get(name, "selection");

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
    public void Extend_EveryRouter_KeepsWhatExistsAndTakesTheOrder(string name)
    {
        var router = RandomRouter();
        var method = MethodCatalog<IRouterExtension>.Get(name, "router.method");

        var grown = method.Extend(router, [2, 2, 0], new RouterOptions(), new KeyedRandom(1, 0, "router"));

        grown.Rows.Take(router.Rows.Length).ShouldBe(router.Rows);
        grown.SelectionBias.ShouldBe([1, 2, 3, 3, 3, 1]);
        grown.Rows.ShouldAllBe(v => float.IsFinite(v));
        var copies = ((int Expert, int Source)[])[(3, 2), (4, 2), (5, 0)];
        copies.All(c => !Same(grown, c.Expert, c.Source)).ShouldBe(method.Copies != CopyKind.Equal);
        Same(grown, 3, 4).ShouldBe(method.Copies != CopyKind.Distinct);
    }

    [Theory]
    [MemberData(nameof(Routers))]
    public void Extend_EveryRouterOfZeros_IsFiniteOrRefused(string name)
    {
        var router = new RouterWeights(0, 3, new float[9], null, null);
        var method = MethodCatalog<IRouterExtension>.Get(name, "router.method");

        if (method.Settings.Contains("noise") && !method.AddsBias)
            Should.Throw<UserInputException>(() =>
                method.Extend(router, [0], new RouterOptions(), new KeyedRandom(1, 0, "router"))).Message.ShouldContain("Use bias-only");
        else
            method.Extend(router, [0], new RouterOptions(), new KeyedRandom(1, 0, "router")).Rows.ShouldAllBe(v => float.IsFinite(v));
    }

    [Theory]
    [MemberData(nameof(Routers))]
    public void Extend_SameKey_SameBytes(string name)
    {
        var method = MethodCatalog<IRouterExtension>.Get(name, "router.method");

        var (a, b) = (method.Extend(RandomRouter(), [0, 1, 2], new RouterOptions(), new KeyedRandom(1, 0, "router")),
            method.Extend(RandomRouter(), [0, 1, 2], new RouterOptions(), new KeyedRandom(1, 0, "router")));

        a.Rows.ShouldBe(b.Rows);
        a.Bias.ShouldBe(b.Bias);
    }

    [Theory]
    [MemberData(nameof(Duplications))]
    public void Duplicate_EveryDuplication_KeepsShapeAndNeverMakesNaN(string name)
    {
        var method = MethodCatalog<IExpertDuplication>.Get(name, "duplication.method");
        using var scope = NewDisposeScope();
        foreach (var weight in (Tensor[])[randn([6, 4], generator: new Generator(1)), zeros(6, 4), ones(6, 4), ones(1, 1)])
        {
            var peer = weight + 1;

            var made = method.Duplicate(new ExpertMatrix("gate", weight, Random(), Random, () => peer), new DuplicationOptions());

            made.shape.ShouldBe(weight.shape);
            made.isfinite().all().item<bool>().ShouldBeTrue();
        }
    }

    [Theory]
    [MemberData(nameof(Duplications))]
    public void Duplicate_SameKey_SameBytesAndNoTensorLeft(string name)
    {
        var method = MethodCatalog<IExpertDuplication>.Get(name, "duplication.method");
        var before = TorchRuntime.LiveTensorCount;
        using (NewDisposeScope())
        {
            var (weight, peer) = (randn([6, 4], generator: new Generator(1)), randn([6, 4], generator: new Generator(2)));

            var (a, b) = (Make(), Make());

            a.eq(b).all().item<bool>().ShouldBeTrue();

            Tensor Make() => method.Duplicate(new ExpertMatrix("down", weight, Random(), Random, () => peer), new DuplicationOptions());
        }
        TorchRuntime.LiveTensorCount.ShouldBe(before);
    }

    private static KeyedRandom Random() => new(1, 0, "x");

    private static bool Same(RouterWeights router, int a, int b) => router.Row(a).SequenceEqual(router.Row(b)) && router.Bias?[a] == router.Bias?[b];

    private static RouterWeights RandomRouter()
    {
        var random = new KeyedRandom(3, 0, "rows");
        return new RouterWeights(0, 5, [.. Enumerable.Range(0, 15).Select(_ => (float)random.NextNormal())], null, [1, 2, 3]);
    }
}
