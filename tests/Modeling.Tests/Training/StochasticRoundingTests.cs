using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Training;

public sealed class StochasticRoundingTests
{
    [Fact]
    public void Store_ManyTimes_HasTheRightMean()
    {
        using var scope = NewDisposeScope();
        var rounding = new StochasticRounding(1);
        var value = 1 + 0.3f / 128; // three tenths of the way from 1 to the next bfloat16
        Tensor values = full(20_000, value), target = zeros(20_000, dtype: bfloat16);

        rounding.Store(target, values, step: 5, first: 0);

        var rounded = target.to(float32).data<float>().ToArray();
        rounded.Distinct().Order().ShouldBe([1f, 1f + 1f / 128]);
        ((double)rounded.Average()).ShouldBe(value, 4 * Math.Sqrt(0.3 * 0.7 / 20_000) / 128);
    }

    [Fact]
    public void Store_NumbersOfBfloat16_KeepsThem()
    {
        using var scope = NewDisposeScope();
        var exact = randn(4096, generator: RandomStream.For(1, "w")).to(bfloat16);
        var target = zeros(4096, dtype: bfloat16);

        new StochasticRounding(1).Store(target, exact.to(float32), 1, 0);

        target.bytes.SequenceEqual(exact.bytes).ShouldBeTrue();
    }

    /// <summary>Powers of two matter: the distance between numbers changes there.</summary>
    [Fact]
    public void Store_InMemoryAndPlain_GiveTheSameBits()
    {
        using var scope = NewDisposeScope();
        var random = randn(30_000, generator: RandomStream.For(1, "w")).pow(5);
        var nearPowers = pow(2, arange(-20, 20, dtype: float32)).unsqueeze(1) * (1 + linspace(-0.004, 0.004, 101)).unsqueeze(0);
        var values = cat([random, -random, nearPowers.flatten(), -nearPowers.flatten(), zeros(7)]);
        Tensor fast = zeros_like(values, dtype: bfloat16), plain = zeros_like(values, dtype: bfloat16);

        new StochasticRounding(3).Store(fast, values, step: 9, first: 1L << 33);
        new StochasticRounding(3) { UsesMemory = false }.Store(plain, values, step: 9, first: 1L << 33);

        fast.eq(plain).all().item<bool>().ShouldBeTrue();
    }

    [Fact]
    public void Store_InPieces_IsTheSameAsWhole()
    {
        using var scope = NewDisposeScope();
        var values = randn(1000, generator: RandomStream.For(1, "w"));
        Tensor whole = zeros(1000, dtype: bfloat16), pieces = zeros(1000, dtype: bfloat16), otherStep = zeros(1000, dtype: bfloat16);
        var rounding = new StochasticRounding(3);

        rounding.Store(whole, values, 2, 100);
        rounding.Store(pieces.narrow(0, 0, 300), values.narrow(0, 0, 300), 2, 100);
        rounding.Store(pieces.narrow(0, 300, 700), values.narrow(0, 300, 700), 2, 400);
        rounding.Store(otherStep, values, 3, 100);

        pieces.bytes.SequenceEqual(whole.bytes).ShouldBeTrue();
        otherStep.bytes.SequenceEqual(whole.bytes).ShouldBeFalse();
    }
}
