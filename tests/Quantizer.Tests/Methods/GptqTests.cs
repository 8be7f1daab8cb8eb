using Espalier.Quantizer.Calibration;
using Espalier.Quantizer.Grids;
using Espalier.Quantizer.Methods;
using Espalier.Modeling.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests.Methods;

public sealed class GptqTests : IDisposable
{
    private static readonly QuantizationScheme Scheme = new(4, 16, Symmetric: true);
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void Quantize_TooFewTokens_FallsBackAndSaysSo()
    {
        var quantized = Gptq.Quantize(Matrix(tokens: 3, calibrationTokens: 1000), Scheme, new Gptq.Settings());

        quantized.Record.Method.ShouldBe("rtn");
        quantized.Record.Fallback.ShouldBe("3 calibration tokens are too few");
    }

    [Fact]
    public void Quantize_NothingMeasured_FallsBack() =>
        Gptq.Quantize(Matrix(tokens: 100, calibrationTokens: 100) with { Inputs = null }, Scheme, new Gptq.Settings()).Record.Method.ShouldBe("rtn");

    [Fact]
    public void Quantize_RankDeficientHessianWithoutDamping_RaisesDamping()
    {
        var quantized = Gptq.Quantize(Matrix(tokens: 8, calibrationTokens: 8), Scheme, new Gptq.Settings { Damp = 0 });

        quantized.Record.Method.ShouldBe("gptq");
        quantized.Record.Damp!.Value.ShouldBeGreaterThan(0);
        quantized.Record.Objective!.Value.ShouldBeLessThan(quantized.Record.ObjectiveOfRtn!.Value);
    }

    [Fact]
    public void Quantize_DeadInput_GetsCodesOfZero()
    {
        var matrix = Matrix(tokens: 200, calibrationTokens: 200);
        matrix.Inputs!.Hessian.select(0, 5).zero_();
        matrix.Inputs.Hessian.select(1, 5).zero_();

        var quantized = Gptq.Quantize(matrix, Scheme, new Gptq.Settings());

        quantized.Codes.select(1, 5).abs().sum().item<float>().ShouldBe(0);
    }

    [Fact]
    public void Quantize_ActOrder_IsInvariantToTheOrderOfColumns()
    {
        var scheme = Scheme with { GroupSize = QuantizationScheme.PerChannel };
        var matrix = Matrix(tokens: 200, calibrationTokens: 200);
        var order = randperm(matrix.Weight.shape[1], generator: new Generator(6));
        var permuted = matrix with
        {
            Weight = matrix.Weight.index_select(1, order),
            Inputs = matrix.Inputs! with { Hessian = matrix.Inputs.Hessian.index_select(0, order).index_select(1, order) },
        };
        var settings = new Gptq.Settings { ActOrder = true };

        var codes = Gptq.Quantize(matrix, scheme, settings).Codes;
        var codesOfPermuted = Gptq.Quantize(permuted, scheme, settings).Codes;

        codesOfPermuted.allclose(codes.index_select(1, order), 0, 0).ShouldBeTrue();
    }

    [Fact]
    public void Quantize_ActOrder_BeatsRoundingToNearest()
    {
        var record = Gptq.Quantize(Matrix(tokens: 200, calibrationTokens: 200), Scheme, new Gptq.Settings { ActOrder = true }).Record;

        record.Objective!.Value.ShouldBeLessThan(record.ObjectiveOfRtn!.Value);
    }

    [Fact]
    public void Quantize_LeavesOnlyItsResultAlive()
    {
        var matrix = Matrix(tokens: 200, calibrationTokens: 200);
        var before = TorchRuntime.LiveTensorCount;

        Gptq.Quantize(matrix, Scheme, new Gptq.Settings { ActOrder = true });

        (TorchRuntime.LiveTensorCount - before).ShouldBe(2); // codes and scales
    }

    private static MatrixToQuantize Matrix(int tokens, int calibrationTokens)
    {
        var x = randn(tokens, 64, dtype: float64, generator: new Generator(11)) * linspace(0.2, 3, 64, dtype: float64);
        var hessian = x.transpose(0, 1).matmul(x) * (2.0 / tokens);
        return new MatrixToQuantize("w", randn(24, 64, generator: new Generator(12)), float32, new InputMoments(hessian, tokens, calibrationTokens));
    }
}
