using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn;

namespace Espalier.Torch.Tests;

public class AutogradTests : TensorTest
{
    public static TheoryData<string, Func<Tensor, Tensor>> Functions => new()
    {
        { "silu", x => x.silu().sum() },
        { "softmax", x => x.view(3, 4).softmax(1).pow(2).sum() },
        { "layer norm", x => functional.layer_norm(x.view(3, 4), [4]).pow(3).sum() },
        { "matmul", x => x.view(3, 4).matmul(x.view(4, 3)).sum() },
        { "linear", x => functional.linear(x.view(3, 4), x.view(3, 4)).pow(2).sum() },
        { "index select", x => x.index_select(0, tensor(new long[] { 1, 1, 5 })).pow(2).sum() },
        { "index add", x => zeros(4, dtype: float64).index_add(0, tensor(new long[] { 0, 1, 1 }), x.narrow(0, 0, 3), 2).pow(2).sum() },
        { "gather", x => x.view(3, 4).gather(1, tensor(new long[] { 0, 3, 3 }).view(3, 1)).pow(2).sum() },
        { "scatter add", x => zeros(3, dtype: float64).scatter_add(0, tensor(new long[] { 0, 2, 2 }), x.narrow(0, 0, 3)).pow(2).sum() },
        { "indexing", x => x[TensorIndex.Slice(1, null, 2)].pow(2).sum() },
        { "cat and split", x => cat(x.split(5)).pow(2).sum() },
        { "cross entropy", x => functional.cross_entropy(x.view(3, 4), tensor(new long[] { 0, 1, 2 })) },
        { "logsumexp", x => x.logsumexp(0) },
        { "attention", x => functional.scaled_dot_product_attention(x.view(1, 3, 4), x.view(1, 3, 4), x.view(1, 3, 4), is_casual: true).sum() },
        { "norm", x => linalg.vector_norm(x) },
        { "top-k", x => x.topk(3).values.pow(2).sum() },
        { "cholesky", x => linalg.cholesky(x.view(3, 4).matmul(x.view(3, 4).t()) + eye(3, dtype: float64)).sum() },
        { "in place on a copy", x => x.clone().mul_(3).add_(x).pow(2).sum() },
    };

    [Theory]
    [MemberData(nameof(Functions))]
    public void Gradient_EqualsFiniteDifferences(string name, Func<Tensor, Tensor> function)
    {
        using var generator = new Generator(7);
        var x = randn(12, dtype: float64, generator: generator).requires_grad_();

        function(x).backward();

        double[] gradient = x.grad!.data<double>().ToArray();
        double[] expected = Differences(function, x.detach());
        for (int i = 0; i < gradient.Length; i++)
            gradient[i].ShouldBe(expected[i], 1e-6 * Math.Max(1, Math.Abs(expected[i])), $"{name}, element {i}");
    }

    private static double[] Differences(Func<Tensor, Tensor> function, Tensor at)
    {
        const double step = 1e-6;
        var result = new double[at.numel()];
        for (int i = 0; i < result.Length; i++)
        {
            var up = at.clone();
            up.data<double>()[i] += step;
            var down = at.clone();
            down.data<double>()[i] -= step;
            result[i] = (function(up).ToDouble() - function(down).ToDouble()) / (2 * step);
        }
        return result;
    }

    [Fact]
    public void Gradient_BeforeTheFirstBackward_IsNull() =>
        ones(2, requires_grad: true).grad.ShouldBeNull();

    [Fact]
    public void Backward_Twice_AddsUp()
    {
        var x = ones(2, requires_grad: true);

        (x * 3).sum().backward();
        (x * 3).sum().backward();

        x.grad!.ShouldHold(6f, 6f);
    }

    [Fact]
    public void Backward_WithGivenGradient_UsesIt()
    {
        var x = ones(2, requires_grad: true);

        (x * 3).backward([Floats(1, 10)]);

        x.grad!.ShouldHold(3f, 30f);
    }

    [Fact]
    public void NoGrad_RecordsNothingAndEnds()
    {
        var x = ones(2, requires_grad: true);
        using (no_grad())
        {
            is_grad_enabled().ShouldBeFalse();
            (x * 2).requires_grad.ShouldBeFalse();
            using (enable_grad())
                (x * 2).requires_grad.ShouldBeTrue();
        }
        (x * 2).requires_grad.ShouldBeTrue();
        using (inference_mode())
            is_inference_mode_enabled().ShouldBeTrue();
        is_inference_mode_enabled().ShouldBeFalse();
    }

    [Fact]
    public void Detach_EndsTheGraph()
    {
        var x = ones(2, requires_grad: true);
        var y = x * 2;

        y.is_leaf.ShouldBeFalse();
        y.detach().requires_grad.ShouldBeFalse();
        x.is_leaf.ShouldBeTrue();
    }

    [Fact]
    public void Grad_OfAGrad_IsTheSecondDerivative()
    {
        var x = tensor(3f, requires_grad: true);

        var first = autograd.grad([x.pow(3)], [x], create_graph: true)[0];
        var second = autograd.grad([first], [x])[0];

        first.ShouldHold(27f);
        second.ShouldHold(18f);
        x.grad.ShouldBeNull();
    }

    [Fact]
    public void RetainGrad_KeepsTheGradientOfAnIntermediate()
    {
        var x = ones(1, requires_grad: true);
        var y = x * 2;
        y.retain_grad();

        (y * 5).sum().backward();

        y.grad!.ShouldHold(5f);
    }

    [Fact]
    public void Backward_OfAVector_CarriesTheMessageOfLibTorch() =>
        Should.Throw<System.Runtime.InteropServices.ExternalException>(() => ones(2, requires_grad: true).mul(2).backward())
            .Message.ShouldContain("grad can be implicitly created only for scalar outputs");
}
