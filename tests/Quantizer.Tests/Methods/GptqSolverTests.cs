using Espalier.Quantizer.Grids;
using Espalier.Quantizer.Methods;
using Espalier.Modeling.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Tests.Methods;

public sealed class GptqSolverTests : IDisposable
{
    private readonly DisposeScope _scope = NewDisposeScope();

    public void Dispose() => _scope.Dispose();

    [Fact]
    public void InverseFactor_WorkedExample_IsUpperFactorOfInverse()
    {
        var factor = GptqSolver.InverseFactor(WorkedHessian())!;

        double[] expected = [0.853819, -0.379972, -0.312918, 0, 0.723575, -0.217072, 0, 0, 1];
        Doubles(factor).Zip(expected).ShouldAllBe(p => Math.Abs(p.First - p.Second) < 1e-6);
    }

    [Fact]
    public void InverseFactor_NotPositiveDefinite_IsNull() =>
        GptqSolver.InverseFactor(tensor(new double[,] { { 1, 2 }, { 2, 1 } })).ShouldBeNull();

    [Theory]
    [InlineData(0.36, 0.36, 0.30, new[] { 1.0, 2, 1 }, 0.0182)]
    [InlineData(0.36, 0.35, 0.10, new[] { 1.0, 2, 0 }, 0.0241)]
    public void Solve_WorkedExample_GivesCodesAndLoss(double a, double b, double c, double[] codes, double halfLoss)
    {
        var hessian = WorkedHessian();
        var weight = tensor(new double[,] { { a, b, c } });
        var scheme = new QuantizationScheme(4, QuantizationScheme.PerChannel, Symmetric: true);
        var grid = new QuantizationGrid(full(1, 1, 0.25, dtype: float64), null);

        var solution = GptqSolver.Solve(weight, GptqSolver.InverseFactor(hessian)!, scheme, float64, grid, groupOf: null);

        Doubles(solution.Codes).ShouldBe(codes);
        (0.5 * solution.Loss).ShouldBe(halfLoss, 5e-5);
        solution.Loss.ShouldBe(GptqSolver.Objective(weight, grid.Dequantize(solution.Codes), hessian), 1e-12);
    }

    [Theory]
    [InlineData(true, 16)]
    [InlineData(false, 16)]
    [InlineData(true, -1)]
    public void Solve_IsotropicHessian_IsExactlyRoundingToNearest(bool symmetric, int groupSize)
    {
        var scheme = new QuantizationScheme(4, groupSize, symmetric);
        var weight = randn(24, 160, generator: new Generator(1));
        var factor = GptqSolver.InverseFactor(eye(160, dtype: float64) * 3.7)!.to(float32);

        var solution = GptqSolver.Solve(weight, factor, scheme, float32, fixedGrid: null, groupOf: null);

        var grid = QuantizationGrid.Of(weight, scheme, float32);
        Doubles(solution.Codes).ShouldBe(Doubles(grid.Quantize(weight, scheme)));
        Doubles(solution.Grid.Scales).ShouldBe(Doubles(grid.Scales));
    }

    [Theory]
    [InlineData(16, 160)]
    [InlineData(48, 192)]
    [InlineData(192, 384)]
    [InlineData(-1, 200)]
    public void Solve_AnyGroupSize_LossEqualsObjective(int groupSize, int inputs)
    {
        var scheme = new QuantizationScheme(4, groupSize, Symmetric: true);
        var weight = randn(8, inputs, dtype: float64, generator: new Generator(2));
        var hessian = RandomHessian(inputs, 7);

        var solution = GptqSolver.Solve(weight, GptqSolver.InverseFactor(hessian)!, scheme, float64, fixedGrid: null, groupOf: null);

        var objective = GptqSolver.Objective(weight, solution.Grid.Dequantize(solution.Codes), hessian);
        (Math.Abs(solution.Loss - objective) / objective).ShouldBeLessThan(1e-10);
    }

    [Fact]
    public void Solve_Float32_LossEqualsObjectiveToFourDigits()
    {
        var scheme = new QuantizationScheme(4, 32, Symmetric: false);
        var weight = randn(16, 256, generator: new Generator(4));
        var hessian = RandomHessian(256, 8);

        var solution = GptqSolver.Solve(weight, GptqSolver.InverseFactor(hessian)!.to(float32), scheme, float32, fixedGrid: null, groupOf: null);

        var objective = GptqSolver.Objective(weight, solution.Grid.Dequantize(solution.Codes), hessian);
        (Math.Abs(solution.Loss - objective) / objective).ShouldBeLessThan(1e-4);
    }

    [Fact]
    public void Solve_TwentySeeds_IsNeverWorseThanRoundingToNearest()
    {
        var scheme = new QuantizationScheme(4, 16, Symmetric: true);
        for (var seed = 0; seed < 20; seed++)
        {
            using var scope = NewDisposeScope();
            var weight = randn(32, 64, generator: new Generator((ulong)(100 + seed)));
            var hessian = RandomHessian(64, (ulong)(200 + seed));
            var grid = QuantizationGrid.Of(weight, scheme, float32);

            var solution = GptqSolver.Solve(weight, GptqSolver.InverseFactor(hessian)!.to(float32), scheme, float32, fixedGrid: null, groupOf: null);

            GptqSolver.Objective(weight, solution.Grid.Dequantize(solution.Codes), hessian)
                .ShouldBeLessThanOrEqualTo(GptqSolver.Objective(weight, grid.Dequantize(grid.Quantize(weight, scheme)), hessian), $"seed {seed}");
        }
    }

    [Theory]
    [InlineData(16, 160)]
    [InlineData(192, 384)]
    public void Solve_Blocks_EqualColumnByColumnUpdates(int groupSize, int inputs)
    {
        // With zero points the extremes fall on whole codes. The symmetric grid puts them at 7.5, a tie that the last bit of a
        // sum decides, and that bit depends on the order of the sum, which is what differs between the two.
        var scheme = new QuantizationScheme(4, groupSize, Symmetric: false);
        var weight = randn(4, inputs, dtype: float64, generator: new Generator(9));
        var factor = GptqSolver.InverseFactor(RandomHessian(inputs, 10))!;

        var solution = GptqSolver.Solve(weight, factor, scheme, float64, fixedGrid: null, groupOf: null);

        Doubles(solution.Codes).ShouldBe(Naive(weight, factor, scheme));
    }

    [Fact]
    public void Solve_LeavesOnlyItsResultAlive()
    {
        var scheme = new QuantizationScheme(4, 16, Symmetric: false);
        var weight = randn(8, 64, generator: new Generator(1));
        var factor = GptqSolver.InverseFactor(RandomHessian(64, 3))!.to(float32);
        var before = TorchRuntime.LiveTensorCount;

        var solution = GptqSolver.Solve(weight, factor, scheme, float32, fixedGrid: null, groupOf: null);

        (TorchRuntime.LiveTensorCount - before).ShouldBe(3);
        solution.Codes.Dispose();
    }

    // The formula as it stands: every column updates all that follow it.
    private static double[] Naive(Tensor weight, Tensor factor, QuantizationScheme scheme)
    {
        var (left, codes) = (weight.clone(), zeros_like(weight));
        var size = scheme.ColumnsPerGroup(weight.shape[1]);
        QuantizationGrid? grid = null;
        for (var i = 0; i < weight.shape[1]; i++)
        {
            if (i % size == 0)
                grid = QuantizationGrid.Of(left.narrow(1, i, size), scheme with { GroupSize = -1 }, float64);
            var column = left.narrow(1, i, 1).clone();
            var code = grid!.Quantize(column, scheme);
            codes.narrow(1, i, 1).copy_(code);
            var error = (column - grid.Dequantize(code)) / factor[i, i].item<double>();
            left = left - error.matmul(factor.narrow(0, i, 1));
        }
        return Doubles(codes);
    }

    private static Tensor WorkedHessian() => tensor(new[,] { { 2, 1, 0.5 }, { 1, 2, 0.3 }, { 0.5, 0.3, 1 } });

    private static Tensor RandomHessian(int inputs, ulong seed)
    {
        var x = randn(4 * inputs, inputs, dtype: float64, generator: new Generator(seed))
            + randn(4 * inputs, 1, dtype: float64, generator: new Generator(seed + 1));
        return x.transpose(0, 1).matmul(x) * (2.0 / (4 * inputs)) + eye(inputs, dtype: float64) * 0.01;
    }

    private static double[] Doubles(Tensor values) => values.to(float64).contiguous().flatten().data<double>().ToArray();
}
