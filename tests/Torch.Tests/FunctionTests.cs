using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.autograd;

namespace Espalier.Torch.Tests;

public class FunctionTests : TensorTest
{
    private sealed class ScaledCube : SingleTensorFunction<ScaledCube>
    {
        public override string Name => nameof(ScaledCube);

        public override Tensor forward(AutogradContext ctx, params object[] vars)
        {
            var x = (Tensor)vars[0];
            ctx.save_for_backward([x]);
            ctx.save_data("scale", vars[1]);
            return x.pow(3) * (double)vars[1];
        }

        public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output)
        {
            var x = ctx.get_saved_variables()[0];
            return [grad_output * x.pow(2) * (3 * (double)ctx.get_data("scale")), null!];
        }
    }

    private sealed class SumAndDifference : MultiTensorFunction<SumAndDifference>
    {
        public override string Name => nameof(SumAndDifference);

        public override List<Tensor> forward(AutogradContext ctx, params object[] vars) =>
            [(Tensor)vars[0] + (Tensor)vars[1], (Tensor)vars[0] - (Tensor)vars[1]];

        public override List<Tensor> backward(AutogradContext ctx, List<Tensor> grad_outputs) =>
            [grad_outputs[0] + grad_outputs[1], grad_outputs[0] - grad_outputs[1]];
    }

    private sealed class Broken : SingleTensorFunction<Broken>
    {
        public override string Name => nameof(Broken);

        public override Tensor forward(AutogradContext ctx, params object[] vars) =>
            (bool)vars[1] ? ((Tensor)vars[0]).clone() : throw new NotSupportedException("no forward");

        public override List<Tensor> backward(AutogradContext ctx, Tensor grad_output) =>
            throw new NotSupportedException("no backward");
    }

    [Fact]
    public void Apply_OfOneOutput_UsesItsOwnGradient()
    {
        var x = Floats(1, 2).requires_grad_();

        var y = ScaledCube.apply(x, 10.0);
        y.sum().backward();

        y.ShouldHold(10f, 80f);
        x.grad!.ShouldHold(30f, 120f);
    }

    [Fact]
    public void Apply_OfTwoOutputs_FillsMissingGradientsWithZeros()
    {
        var a = Floats(3).requires_grad_();
        var b = Floats(1).requires_grad_();

        var outputs = SumAndDifference.apply(a, b);
        (outputs[0] * 2).sum().backward();

        outputs[1].ShouldHold(2f);
        a.grad!.ShouldHold(2f);
        b.grad!.ShouldHold(2f);
    }

    [Fact]
    public void Apply_WithoutGradients_RecordsNothing() =>
        ScaledCube.apply(Floats(2), 1.0).requires_grad.ShouldBeFalse();

    [Fact]
    public void Exceptions_OfEitherPass_ReachTheCaller()
    {
        var x = Floats(1).requires_grad_();

        Should.Throw<NotSupportedException>(() => Broken.apply(x, false)).Message.ShouldBe("no forward");
        Should.Throw<Exception>(() => Broken.apply(x, true).sum().backward()).Message.ShouldContain("no backward");
    }
}
