using Espalier.Modeling.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests.Checkpoints;

public sealed class PackedWeightsTests
{
    [Theory]
    [InlineData(4, new[] { -8, -7, -6, -5, -4, -3, -2, -1, 0, 1, 2, 3, 4, 5, 6, 7 }, new[] { 0x76543210, unchecked((int)0xFEDCBA98) })]
    [InlineData(8, new[] { -128, -1, 0, 127 }, new[] { unchecked((int)0xFF807F00) })]
    [InlineData(2, new[] { -2, -1, 0, 1, -2, -1, 0, 1, -2, -1, 0, 1, -2, -1, 0, 1 }, new[] { unchecked((int)0xE4E4E4E4) })]
    public void Pack_GoldenCodes_GivesGoldenWords(int bits, int[] codes, int[] words)
    {
        using var scope = NewDisposeScope();

        var packed = PackedWeights.Pack(tensor(codes).unsqueeze(0), bits);

        packed.data<int>().ToArray().ShouldBe(words);
    }

    [Theory]
    [InlineData(4, 13)]
    [InlineData(8, 7)]
    public void Unpack_AfterPackOfRaggedRows_GivesTheCodes(int bits, long columns)
    {
        using var scope = NewDisposeScope();
        var codes = randint(-(1 << (bits - 1)), 1 << (bits - 1), [5, columns], dtype: int8, generator: RandomStream.For(1, "codes"));

        var unpacked = PackedWeights.Unpack(PackedWeights.Pack(codes, bits), columns, bits);

        unpacked.data<sbyte>().ToArray().ShouldBe(codes.data<sbyte>().ToArray());
    }

    [Fact]
    public void Dequantize_WithZeroPoints_FollowsTheFormula()
    {
        using var scope = NewDisposeScope();
        var codes = tensor([-8, -7, 3, 7, 0, 1]).view(1, 6).to(int8);

        var values = PackedWeights.Dequantize(codes, tensor([0.5f, 2f]).view(1, 2), tensor([-8, 1]).view(1, 2).to(int8), 3);

        values.data<float>().ToArray().ShouldBe([0f, 0.5f, 5.5f, 12f, -2f, 0f]);
    }
}
