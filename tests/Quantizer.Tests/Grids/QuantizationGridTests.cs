using Espalier.Quantizer.Grids;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests.Grids;

public sealed class QuantizationGridTests : IDisposable
{
    private static readonly QuantizationScheme Int4 = new(4, QuantizationScheme.PerChannel, Symmetric: true);
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Quantize_WorkedExample_GivesCodesOfConvention()
    {
        var weight = tensor(new[] { -1, -0.6, 0.2, 1 }).unsqueeze(0); // -1 is halfway between two codes, in 64 bits

        var grid = QuantizationGrid.Of(weight, Int4, float64);
        var codes = grid.Quantize(weight, Int4);

        Floats(codes).ShouldBe([-8, -4, 2, 7]);
        Floats(grid.Dequantize(codes)).Zip([-1.0667f, -0.5333f, 0.2667f, 0.9333f]).ShouldAllBe(p => Math.Abs(p.First - p.Second) < 1e-4);
        QuantizationGrid.Convention(Int4).ShouldBe("absmax/7.5");
    }

    [Theory]
    [InlineData(4, true)]
    [InlineData(4, false)]
    [InlineData(8, true)]
    [InlineData(8, false)]
    public void Dequantize_RandomWeights_ErrorIsWithinHalfAStep(int bits, bool symmetric)
    {
        var scheme = new QuantizationScheme(bits, 8, symmetric);
        var weight = randn(16, 64, generator: new Generator(3));

        var grid = QuantizationGrid.Of(weight, scheme, float32);
        var codes = grid.Quantize(weight, scheme);

        var steps = (weight - grid.Dequantize(codes)).abs() / grid.Scales.repeat_interleave(8, 1);
        var isClamped = symmetric ? codes == scheme.HighestCode : zeros_like(codes, dtype: @bool);
        (steps.masked_fill(isClamped, 0).max().item<float>() <= 0.5001f).ShouldBeTrue();
        (steps.max().item<float>() <= (symmetric ? 1f : 0.5001f)).ShouldBeTrue();
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Quantize_DequantizedCodes_GivesTheSameCodes(bool symmetric)
    {
        var scheme = new QuantizationScheme(4, 16, symmetric);
        var weight = randn(8, 32, generator: new Generator(5));
        var grid = QuantizationGrid.Of(weight, scheme, bfloat16);

        var codes = grid.Quantize(weight, scheme);

        Floats(grid.Quantize(grid.Dequantize(codes), scheme)).ShouldBe(Floats(codes));
    }

    [Fact]
    public void Of_GroupOfZeros_HasEpsilonAsScaleAndCodesOfZero()
    {
        var weight = zeros(2, 16);

        var grid = QuantizationGrid.Of(weight, Int4, bfloat16);

        Floats(grid.Scales).ShouldAllBe(scale => scale == 1f / 128);
        Floats(grid.Quantize(weight, Int4)).ShouldAllBe(code => code == 0);
    }

    [Fact]
    public void Of_GroupWithoutNegatives_UsesTheLargestMagnitude()
    {
        var weight = tensor(new[] { 0.1f, 0.5f, 1.5f, 0.75f }).unsqueeze(0);

        var grid = QuantizationGrid.Of(weight, Int4, float32);

        Floats(grid.Scales).ShouldBe([0.2f]);
    }

    [Fact]
    public void Of_AsymmetricPositiveWeights_CanRepresentZero()
    {
        var scheme = Int4 with { Symmetric = false };
        var weight = tensor(new[] { 0f, 1f, 2f, 3f }).unsqueeze(0);

        var grid = QuantizationGrid.Of(weight, scheme, float32);

        Floats(grid.ZeroPoints!).ShouldBe([-8]);
        Floats(grid.Dequantize(grid.Quantize(weight, scheme))).ShouldBe([0, 1, 2, 3], 1e-6);
    }

    [Fact]
    public void Of_BFloat16Weights_RoundsWithTheScaleThatIsStored()
    {
        var weight = tensor(new[] { -1f, -0.6f, 0.2f, 1.01f }).unsqueeze(0);

        var scales = QuantizationGrid.Of(weight, Int4, bfloat16).Scales;

        Floats(scales.to(bfloat16).to(float32)).ShouldBe(Floats(scales));
    }

    private static float[] Floats(Tensor values) => values.to(float32).flatten().data<float>().ToArray();
}
