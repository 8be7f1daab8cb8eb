using Espalier.Modeling.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Tests;

public sealed class Float8Tests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Decode_EveryCode_IsTheNumberOfItsBits()
    {
        var values = Values();

        for (var code = 0; code < 256; code++)
        {
            var (exponent, mantissa, sign) = (code >> 3 & 15, code & 7, code < 128 ? 1 : -1);
            var expected = exponent == 15 && mantissa == 7 ? double.NaN
                : sign * (exponent == 0 ? mantissa * Math.Pow(2, -9) : (1 + mantissa / 8.0) * Math.Pow(2, exponent - 7));
            ((double)values[code]).ShouldBe(expected, $"{code}");
        }
        (values[0x7E], values[0x08], values[0x01]).ShouldBe((448f, 1 / 64f, 1 / 512f));
    }

    [Fact]
    public void Encode_EveryNumber_IsItsCode()
    {
        var codes = arange(256, dtype: uint8);

        // 0x7F and 0xFF are both NaN and keep their signs
        Float8.Encode(Float8.Decode(codes)).bytes.ToArray().ShouldBe([.. Enumerable.Range(0, 256).Select(code => (byte)code)]);
    }

    [Fact]
    public void Encode_NumbersBetween_AreTheNearestWithTiesToEven()
    {
        var (values, random) = (Values().Take(0x7F).ToArray(), new Random(1));
        var between = Enumerable.Range(0, 0x7E).SelectMany(code => (float[])
        [
            (values[code] + values[code + 1]) / 2, // a tie
            values[code] + (values[code + 1] - values[code]) * random.NextSingle(),
        ]).ToArray();

        var codes = Float8.Encode(cat([tensor(between), -tensor(between)])).bytes.ToArray();

        for (var i = 0; i < between.Length; i++)
        {
            var nearest = Enumerable.Range(0, 0x7F).OrderBy(code => Math.Abs((double)values[code] - between[i])).ThenBy(code => code % 2).First();
            codes[i].ShouldBe((byte)nearest, $"{between[i]}");
            codes[between.Length + i].ShouldBe((byte)(nearest | 0x80), $"-{between[i]}");
        }
    }

    [Theory]
    [InlineData(449f, 0x7E)]
    [InlineData(1e30f, 0x7E)]
    [InlineData(float.PositiveInfinity, 0x7E)]
    [InlineData(float.NegativeInfinity, 0xFE)]
    [InlineData(1e-30f, 0x00)]
    [InlineData(float.NaN, 0x7F)]
    public void Encode_NumbersBeyondTheEnds_AreTheEnds(float value, byte code) =>
        (Float8.Encode(tensor(new[] { value })).bytes[0] & (float.IsNaN(value) ? 0x7F : 0xFF)).ShouldBe(code);

    private static float[] Values() => Float8.Decode(arange(256, dtype: uint8)).data<float>().ToArray();
}
