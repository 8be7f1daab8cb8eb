using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

public class ArithmeticTests : TensorTest
{
    public static TheoryData<string, Func<Tensor, Tensor>, Func<double, double>> Functions => new()
    {
        { "abs", x => x.abs(), Math.Abs },
        { "neg", x => x.neg(), x => -x },
        { "exp", x => x.exp(), Math.Exp },
        { "expm1", x => x.expm1(), x => Math.Exp(x) - 1 },
        { "log", x => x.log(), Math.Log },
        { "log1p", x => x.log1p(), x => Math.Log(1 + x) },
        { "log2", x => x.log2(), Math.Log2 },
        { "log10", x => x.log10(), Math.Log10 },
        { "sqrt", x => x.sqrt(), Math.Sqrt },
        { "rsqrt", x => x.rsqrt(), x => 1 / Math.Sqrt(x) },
        { "reciprocal", x => x.reciprocal(), x => 1 / x },
        { "square", x => x.square(), x => x * x },
        { "sin", x => x.sin(), Math.Sin },
        { "cos", x => x.cos(), Math.Cos },
        { "tan", x => x.tan(), Math.Tan },
        { "tanh", x => x.tanh(), Math.Tanh },
        { "atan", x => x.atan(), Math.Atan },
        { "sigmoid", x => x.sigmoid(), x => 1 / (1 + Math.Exp(-x)) },
        { "silu", x => x.silu(), x => x / (1 + Math.Exp(-x)) },
        { "relu", x => x.relu(), x => Math.Max(x, 0) },
        { "floor", x => x.floor(), Math.Floor },
        { "ceil", x => x.ceil(), Math.Ceiling },
        { "trunc", x => x.trunc(), Math.Truncate },
        { "round", x => x.round(), x => Math.Round(x) },
        { "frac", x => x.frac(), x => x - Math.Truncate(x) },
        { "sign", x => x.sign(), x => Math.Sign(x) },
        { "softplus", x => x.softplus(), x => Math.Log(1 + Math.Exp(x)) },
        { "gelu tanh", x => x.gelu(TorchSharp.Modules.GELU.Approximate.tanh), x => 0.5 * x * (1 + Math.Tanh(Math.Sqrt(2 / Math.PI) * (x + 0.044715 * x * x * x))) },
    };

    [Theory]
    [MemberData(nameof(Functions))]
    public void Function_OfOneElement_EqualsItsFormula(string name, Func<Tensor, Tensor> function, Func<double, double> formula)
    {
        double[] inputs = [0.3, 1, 2.5, 0.75];
        Tensor result = function(tensor(inputs));

        double[] values = result.data<double>().ToArray();
        for (int i = 0; i < inputs.Length; i++)
            values[i].ShouldBe(formula(inputs[i]), 1e-12, $"{name}({inputs[i]})");
    }

    [Fact]
    public void Erf_AndGelu_HaveKnownValues()
    {
        Floats(0, 1).erf().ShouldHold(0f, 0.8427008f);
        Floats(0, 1, -1).gelu().ShouldHold(0f, 0.8413447f, -0.15865526f);
        Floats(0.8427008f).erfinv().item<float>().ShouldBe(1f, 1e-4);
    }

    [Fact]
    public void Operators_BetweenTensorsAndNumbers()
    {
        var x = Floats(1, 2, 4);

        (x + x).ShouldHold(2f, 4f, 8f);
        (x - 1).ShouldHold(0f, 1f, 3f);
        (1 - x).ShouldHold(0f, -1f, -3f);
        (x * 2.5f).ShouldHold(2.5f, 5f, 10f);
        (8 / x).ShouldHold(8f, 4f, 2f);
        (x / 2).ShouldHold(0.5f, 1f, 2f);
        (-x).ShouldHold(-1f, -2f, -4f);
        (Longs(7) % 4).ShouldHold(3L);
        (Longs(1, 2) * 2).dtype.ShouldBe(int64);
        (Longs(1) + 0.5).dtype.ShouldBe(float32);
    }

    [Fact]
    public void Comparison_Operators_AnswerElementByElement()
    {
        var x = Floats(1, 2, 3);

        (x > 2).ShouldHold(false, false, true);
        (x >= 2).ShouldHold(false, true, true);
        (x < 2).ShouldHold(true, false, false);
        (x == 2).ShouldHold(false, true, false);
        (x != Floats(1, 0, 3)).ShouldHold(false, true, false);
        ((x > 1) & (x < 3)).ShouldHold(false, true, false);
        (~(x > 1)).ShouldHold(true, false, false);
        x.eq(2).any().item<bool>().ShouldBeTrue();
        x.le(3).all().item<bool>().ShouldBeTrue();
    }

    [Fact]
    public void InPlace_Forms_ChangeTheTensor()
    {
        var x = Floats(1, 2);

        x.add_(1).mul_(2).sub_(Floats(1, 1)).div_(3);

        x.ShouldHold(1f, 5f / 3);
        x.zero_().ShouldHold(0f, 0f);
        x.fill_(3).copy_(Longs(4, 5)).ShouldHold(4f, 5f);
    }

    [Fact]
    public void Alpha_ScalesTheSecondOperand()
    {
        Floats(1).add(Floats(2), 3).ShouldHold(7f);
        Floats(1).add_(Floats(2), -0.5).ShouldHold(0f);
        Floats(1).addcmul_(Floats(2), Floats(3), 0.5).ShouldHold(4f);
        Floats(1).addcdiv_(Floats(6), Floats(3), 2).ShouldHold(5f);
        Floats(0).lerp_(Floats(10), tensor(0.25f)).ShouldHold(2.5f);
    }

    [Fact]
    public void Limits_AndChoices()
    {
        var x = Floats(-2, 0.5f, 3);

        x.clamp(-1, 1).ShouldHold(-1f, 0.5f, 1f);
        x.clamp(min: 0).ShouldHold(0f, 0.5f, 3f);
        x.clone().clamp_(max: 1).ShouldHold(-2f, 0.5f, 1f);
        x.maximum(zeros(3)).ShouldHold(0f, 0.5f, 3f);
        minimum(x, zeros(3)).ShouldHold(-2f, 0f, 0f);
        x.nan_to_num().ShouldHold(-2f, 0.5f, 3f);
    }

    [Fact]
    public void Division_RoundsAsAsked()
    {
        Floats(-7).div(2, RoundingMode.trunc).ShouldHold(-3f);
        Floats(-7).div(2, RoundingMode.floor).ShouldHold(-4f);
        Longs(-7).floor_divide(2).ShouldHold(-4L);
        Longs(-7).remainder(4).ShouldHold(1L);
        Longs(-7).fmod(4).ShouldHold(-3L);
    }

    [Fact]
    public void Special_Values_AreRecognised()
    {
        var x = Floats(1, float.NaN, float.PositiveInfinity, float.NegativeInfinity);

        x.isnan().ShouldHold(false, true, false, false);
        x.isinf().ShouldHold(false, false, true, true);
        x.isfinite().ShouldHold(true, false, false, false);
    }

    [Fact]
    public void Bits_AreShiftedAndCombined()
    {
        Longs(0b1100).bitwise_and(Longs(0b1010)).ShouldHold(0b1000L);
        (Longs(0b1100) | Longs(0b1010)).ShouldHold(0b1110L);
        Longs(0b1100).bitwise_xor(Longs(0b1010)).ShouldHold(0b0110L);
        Longs(1, 2).bitwise_left_shift(Longs(4, 4)).ShouldHold(16L, 32L);
        tensor(new byte[] { 0xF3 }).bitwise_right_shift(tensor(new byte[] { 4 })).ShouldHold(15L);
        tensor(new[] { true, false }).logical_not().ShouldHold(false, true);
        Floats(1, 0).logical_and(Floats(1, 1)).ShouldHold(true, false);
    }

    [Fact]
    public void Closeness_IsOneAnswer()
    {
        Floats(1, 2).allclose(Floats(1, 2.0000001f)).ShouldBeTrue();
        Floats(1, 2).allclose(Floats(1, 2.1f)).ShouldBeFalse();
        Floats(1, 2).Equals(Floats(1, 2)).ShouldBeTrue();
        Floats(1, 2).Equals(Floats(1, 3)).ShouldBeFalse();
        Floats(1, 2).isclose(Floats(1, 3)).ShouldHold(true, false);
    }

    [Fact]
    public void Power_OfTensorsAndNumbers()
    {
        Floats(2, 3).pow(2).ShouldHold(4f, 9f);
        Floats(2, 3).pow(Floats(3, 2)).ShouldHold(8f, 9f);
        Floats(4).pow_(0.5).ShouldHold(2f);
    }
}
