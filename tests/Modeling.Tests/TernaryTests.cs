using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests;

public sealed class TernaryTests
{
    [Fact]
    public void Quantize_Example_FollowsTheRule()
    {
        using var scope = NewDisposeScope();

        var used = Ternary.Quantize(tensor(new[] { 0.4f, -0.1f, 0.02f, -1.2f }).view(2, 2));

        (used / 0.43).flatten().data<float>().ToArray().Zip([1f, 0, 0, -1]).ShouldAllBe(pair => Math.Abs(pair.First - pair.Second) < 1e-5f);
    }

    [Fact]
    public void Quantize_Twice_KeepsTheSigns()
    {
        using var scope = NewDisposeScope();
        var once = Ternary.Quantize(randn([4, 6, 5], generator: new Generator(1)));

        Ternary.Quantize(once).sign().eq(once.sign()).all().item<bool>().ShouldBeTrue();
    }

    [Fact]
    public void Quantize_Zeros_AreZeros()
    {
        using var scope = NewDisposeScope();

        Ternary.Quantize(zeros(2, 3, 3)).abs().max().item<float>().ShouldBe(0);
    }

    [Fact]
    public void Quantize_Gradient_GoesStraightThrough()
    {
        using var scope = NewDisposeScope();
        var latent = randn([2, 4, 3], generator: new Generator(1)).requires_grad_(true);
        var incoming = randn([2, 4, 3], generator: new Generator(2));

        (Ternary.QuantizeGateUp(latent) * incoming).sum().backward();

        latent.grad!.eq(incoming).all().item<bool>().ShouldBeTrue();
    }
}
