using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Espalier.Torch.Tests;

public class FunctionalTests : TensorTest
{
    [Fact]
    public void Linear_MultipliesWithTheTransposedWeights()
    {
        var weight = Matrix(2, 1, 2, 3, 4);

        functional.linear(Floats(1, 1), weight).ShouldHold(3f, 7f);
        functional.linear(Floats(1, 1), weight, Floats(10, 20)).ShouldHold(13f, 27f);
    }

    [Fact]
    public void Softmax_SumsToOne()
    {
        functional.softmax(Floats(0, 0), 0).ShouldHold(0.5f, 0.5f);
        functional.log_softmax(Floats(0, 0), 0).ShouldHold(-MathF.Log(2), -MathF.Log(2));
        Floats(1, 2, 3).softmax(-1, float64).sum().ToDouble().ShouldBe(1, 1e-12);
    }

    [Fact]
    public void CrossEntropy_IsTheNegativeLogProbability()
    {
        var scores = Matrix(2, 0, MathF.Log(3), 0, 0);

        functional.cross_entropy(scores, Longs(1, 0)).ShouldHold((MathF.Log(4f / 3) + MathF.Log(2)) / 2);
        functional.cross_entropy(scores, Longs(1, 0), reduction: Reduction.None).ShouldHold(MathF.Log(4f / 3), MathF.Log(2));
        functional.cross_entropy(scores, Longs(1, -100), reduction: Reduction.Sum).ShouldHold(MathF.Log(4f / 3));
        functional.nll_loss(scores.log_softmax(1), Longs(1, 0), reduction: Reduction.Sum).ShouldHold(MathF.Log(4f / 3) + MathF.Log(2));
    }

    [Fact]
    public void Losses_EqualTheirFormulas()
    {
        functional.mse_loss(Floats(1, 2), Floats(3, 2)).ShouldHold(2f);
        var p = Floats(0.25f, 0.75f);
        functional.kl_div(p.log(), p.log(), log_target: true, reduction: Reduction.Sum).ShouldHold(0f);
        functional.kl_div(Floats(0.5f, 0.5f).log(), p, log_target: false, reduction: Reduction.Sum).ShouldHold(0.25f * MathF.Log(0.5f) + 0.75f * MathF.Log(1.5f));
        functional.binary_cross_entropy_with_logits(Floats(0), Floats(1)).ShouldHold(MathF.Log(2));
    }

    [Fact]
    public void LayerNorm_HasMeanZeroAndVarianceOne()
    {
        var result = functional.layer_norm(Floats(1, 2, 3), [3], weight: full(3, 2.0), bias: ones(3), eps: 0);

        result.ShouldHold(1 - 2 * MathF.Sqrt(1.5f), 1f, 1 + 2 * MathF.Sqrt(1.5f));
    }

    [Fact]
    public void Dropout_WhenNotTraining_ChangesNothing() =>
        functional.dropout(Floats(1, 2), 0.5, training: false).ShouldHold(1f, 2f);

    [Fact]
    public void Directions_AndOneHot()
    {
        functional.normalize(Matrix(2, 3, 4)).ShouldHold(0.6f, 0.8f);
        functional.cosine_similarity(Matrix(2, 1, 0), Matrix(2, 1, 1)).ShouldHold(MathF.Sqrt(0.5f));
        functional.one_hot(Longs(1, 0), 3).ShouldHold(0L, 1L, 0L, 1L, 0L, 0L);
        functional.pad(Floats(1, 2), (1, 2), value: 9).ShouldHold(9f, 1f, 2f, 9f, 9f);
    }

    [Fact]
    public void Attention_Causal_EqualsTheFormula()
    {
        using var generator = new Generator(3);
        var (q, k, v) = (Draw(generator), Draw(generator), Draw(generator));
        var mask = ones(5, 5, dtype: torch.@bool).tril();

        var scores = q.matmul(k.transpose(-2, -1)).div(Math.Sqrt(8)).masked_fill(mask.logical_not(), float.NegativeInfinity);
        var expected = scores.softmax(-1).matmul(v);

        functional.scaled_dot_product_attention(q, k, v, is_casual: true).allclose(expected, atol: 1e-6).ShouldBeTrue();
        functional.scaled_dot_product_attention(q, k, v, attn_mask: mask).allclose(expected, atol: 1e-6).ShouldBeTrue();
    }

    private static Tensor Draw(Generator generator) => randn([2, 3, 5, 8], generator: generator);

    [Fact]
    public void TruncNormal_StaysInsideItsLimits()
    {
        using var generator = new Generator(1);

        var values = init.trunc_normal_(empty(10_000), std: 0.5, a: -1, b: 1, generator: generator);

        values.abs().max().ToDouble().ShouldBeLessThanOrEqualTo(1);
        values.std().ToDouble().ShouldBe(0.44, 0.02);
    }
}
