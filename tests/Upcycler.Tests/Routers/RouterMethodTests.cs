using Espalier.Contracts;
using Espalier.Stages.Methods;
using Espalier.Surgery;
using Espalier.Upcycler.Routers;

namespace Espalier.Upcycler.Tests.Routers;

/// <summary>What each router method does; several tests are named after a defect of the published code.</summary>
public sealed class RouterMethodTests
{
    private static readonly int[] Order = [2, 2, 0]; // no identity: expert 1 is never chosen, expert 2 twice

    [Fact]
    public void Orthogonal_AnyOrder_IsAtRightAnglesToItsOwnSource()
    {
        var (router, grown) = Extend("orthogonal", new());

        for (var slot = 0; slot < 3; slot++)
        {
            Dot(grown.Row(4 + slot), router.Row(Order[slot])).ShouldBe(0, 1e-4);
            Dot(grown.Row(4 + slot), grown.Row(4 + slot)).ShouldBe(Dot(router.Row(Order[slot]), router.Row(Order[slot])), 1e-3);
        }
    }

    [Fact]
    public void Adversarial_AnyOrder_PushesAwayFromItsOwnSource()
    {
        var (router, grown) = Extend("adversarial", new() { Strength = 0.1 });

        for (var slot = 0; slot < 3; slot++)
            for (var i = 0; i < router.Width; i++)
            {
                var (source, mean) = (router.Row(Order[slot])[i], Enumerable.Range(0, 4).Average(e => (double)router.Rows[e * router.Width + i]));
                ((double)grown.Row(4 + slot)[i]).ShouldBe(source - 0.1 * (source - mean), 1e-5);
            }
    }

    [Fact]
    public void Interpolate_LastRow_TakesTheFirstOrItself()
    {
        var router = Router();
        var method = MethodCatalog<IRouterExtension>.Get("interpolate", "router.method");

        var circular = method.Extend(router, [3], new() { Mix = 0.25 }, Random());
        var clamped = method.Extend(router, [3], new() { Circular = false }, Random());

        ((double)circular.Row(4)[0]).ShouldBe(0.75 * router.Row(3)[0] + 0.25 * router.Row(0)[0], 1e-6);
        clamped.Row(4).ToArray().ShouldBe(router.Row(3).ToArray());
    }

    [Theory]
    [InlineData("scaled-copy", 0.95)]
    [InlineData("temperature-scaled", 0.9)]
    public void Scaled_Rows_AreTheSourcesTimesTheFactor(string method, double factor)
    {
        var (router, grown) = Extend(method, new());

        ((double)grown.Row(6)[3]).ShouldBe(factor * router.Row(0)[3], 1e-6);
    }

    [Theory]
    [InlineData("copy-noise", false)]
    [InlineData("perturb-new-only", true)]
    public void Noise_Size_IsRelativeToTheNamedSpread(string method, bool ofCopiedRowsOnly)
    {
        const int Width = 4096;
        var rows = new float[2 * Width];
        for (var i = 0; i < Width; i++)
            (rows[i], rows[Width + i]) = (i % 2 == 0 ? 1 : -1, i % 2 == 0 ? 9 : -9);
        var router = new RouterWeights(0, Width, rows, null, null);

        var grown = MethodCatalog<IRouterExtension>.Get(method, "router.method").Extend(router, [0], new() { Noise = 0.1 }, Random());

        var spread = Math.Sqrt(Enumerable.Range(0, Width).Average(i => Math.Pow(grown.Row(2)[i] - router.Row(0)[i], 2)));
        var expected = 0.1 * (ofCopiedRowsOnly ? 1 : Math.Sqrt((1 + 81) / 2.0));
        spread.ShouldBe(expected, expected * 0.05);
    }

    [Theory]
    [InlineData(null)]
    [InlineData(0f)]
    public void BiasOnly_NoBiasOrZeros_StillGetsNoise(float? value)
    {
        var router = Router() with { Bias = value is null ? null : new float[4] };

        var grown = MethodCatalog<IRouterExtension>.Get("bias-only", "router.method").Extend(router, [1], new(), Random());

        grown.Bias![..4].ShouldBe(new float[4]);
        Math.Abs(grown.Bias[4]).ShouldBeInRange(1e-9f, 1e-3f);
    }

    [Fact]
    public void BiasOnly_LearnedAndSelectionBias_BothFollowTheOrder()
    {
        var router = Router() with { Bias = [1, 2, 3, 4], SelectionBias = [5, 6, 7, 8] };

        var grown = MethodCatalog<IRouterExtension>.Get("bias-only", "router.method").Extend(router, Order, new() { Shift = 10 }, Random());

        grown.SelectionBias.ShouldBe([5, 6, 7, 8, 7, 7, 5]);
        grown.Bias![..4].ShouldBe([1, 2, 3, 4]);
        foreach (var (slot, bias) in new[] { (4, 13), (5, 13), (6, 11) })
            grown.Bias[slot].ShouldBe(bias, 1.1e-3);
    }

    [Fact]
    public void SvdPerturb_TwoCopiesOfOneExpert_DifferAndStayNear()
    {
        var (router, grown) = Extend("svd-perturb", new());

        grown.Row(4).SequenceEqual(grown.Row(5)).ShouldBeFalse();
        for (var slot = 0; slot < 3; slot++)
            (Dot(grown.Row(4 + slot), router.Row(Order[slot])) / Dot(router.Row(Order[slot]), router.Row(Order[slot]))).ShouldBe(1, 0.35);
    }

    [Fact]
    public void Noise_OnEqualWeights_NamesTheRemedy() =>
        Should.Throw<UserInputException>(() =>
            MethodCatalog<IRouterExtension>.Get("copy-noise", "router.method").Extend(new RouterWeights(3, 2, [1, 1, 1, 1], null, null), [0], new(), Random()))
            .Message.ShouldContain("layer 3");

    private static (RouterWeights Before, RouterWeights After) Extend(string method, RouterOptions options)
    {
        var router = Router();
        return (router, MethodCatalog<IRouterExtension>.Get(method, "router.method").Extend(router, Order, options, Random()));
    }

    private static RouterWeights Router()
    {
        var random = new KeyedRandom(3, 0, "rows");
        return new RouterWeights(0, 16, [.. Enumerable.Range(0, 64).Select(_ => (float)random.NextNormal())], null, null);
    }

    private static KeyedRandom Random() => new(1, 0, "router");

    private static double Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var sum = 0.0;
        for (var i = 0; i < a.Length; i++)
            sum += (double)a[i] * b[i];
        return sum;
    }
}
