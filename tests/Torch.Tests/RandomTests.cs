using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

public class RandomTests : TensorTest
{
    [Fact]
    public void Generator_WithTheSameSeed_GivesTheSameNumbers()
    {
        using var first = new Generator(42);
        using var second = new Generator(42);

        randn(10, generator: first).Equals(randn(10, generator: second)).ShouldBeTrue();
        randn(10, generator: first).Equals(randn(10, generator: new Generator(43))).ShouldBeFalse();
        first.initial_seed().ShouldBe(42);
    }

    [Fact]
    public void State_SetAgain_RepeatsWhatFollowed()
    {
        using var generator = new Generator(1);
        rand(3, generator: generator);
        var state = generator.get_state();
        var expected = rand(5, generator: generator);

        generator.set_state(state);

        rand(5, generator: generator).Equals(expected).ShouldBeTrue();
        generator.manual_seed(1);
        rand(3, generator: generator).Equals(rand(3, generator: new Generator(1))).ShouldBeTrue();
    }

    [Fact]
    public void ManualSeed_RulesTheDefaultGenerator()
    {
        using var again = new Generator(5);

        manual_seed(5);

        randperm(20).numel().ShouldBe(20);
        again.device.type.ShouldBe(DeviceType.CPU);
    }

    [Fact]
    public void Draws_StayInTheirRanges()
    {
        using var generator = new Generator(9);

        var integers = randint(3, 6, [1000], generator: generator);
        var permutation = randperm(50, generator: generator);
        var uniform = empty(1000).uniform_(-1, 1, generator);
        var normal = empty(10_000).normal_(2, 0.5, generator);

        integers.min().ShouldHold(3L);
        integers.max().ShouldHold(5L);
        permutation.sort().Values.Equals(arange(50)).ShouldBeTrue();
        uniform.abs().max().ToDouble().ShouldBeLessThanOrEqualTo(1);
        normal.mean().ToDouble().ShouldBe(2, 0.03);
        normal.std().ToDouble().ShouldBe(0.5, 0.03);
    }

    [Fact]
    public void Weights_DecideWhatIsDrawn()
    {
        using var generator = new Generator(2);

        Floats(0, 1, 0).multinomial(5, replacement: true, generator: generator).ShouldHold(1L, 1L, 1L, 1L, 1L);
        torch.bernoulli(Floats(0, 1), generator).ShouldHold(0f, 1f);
        torch.bernoulli(full(10_000, 0.25), generator).mean().ToDouble().ShouldBe(0.25, 0.02);
    }
}
