using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Torch.Tests;

public class SmokeTests
{
    [Fact]
    public void Backward_OfSquare_IsTwiceTheInput()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new float[] { 1, 2, 3 }, requires_grad: true);

        (x * x).sum().backward();

        x.grad!.data<float>().ToArray().ShouldBe([2f, 4f, 6f]);
    }

    [Fact]
    public void Matmul_OfWrongShapes_CarriesTheMessageOfLibTorch()
    {
        using var scope = NewDisposeScope();
        var a = zeros(2, 3);

        var error = Should.Throw<System.Runtime.InteropServices.ExternalException>(() => a.mm(a));

        error.Message.ShouldContain("mat1 and mat2 shapes cannot be multiplied (2x3 and 2x3)");
    }

    [Fact]
    public void NumericsClass_NamesEngineAndKernel() =>
        TorchRuntime.NumericsClass.ShouldContain($"blas={TorchRuntime.BlasKernel}");
}
