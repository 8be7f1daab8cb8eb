using System.Diagnostics;
using Espalier.Kernels;
using Espalier.Modeling.Fused;
using Espalier.Modeling.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Bench;

/// <summary>What this machine can do, measured now: the roof that every rate is held against.</summary>
/// <param name="Fp32Gflops">Best fp32 product, of the BLAS and of our kernel.</param>
/// <param name="BlasGflops">Of the BLAS alone.</param>
/// <param name="KernelGflops">Of our kernel alone; 0 without kernels.</param>
/// <param name="Bf16Gflops">bf16 product of the tensor engine.</param>
/// <param name="MemoryGigabytes">Bytes per second, in 1e9, of a copy: read plus written.</param>
internal sealed record MachinePeaks(double Fp32Gflops, double BlasGflops, double KernelGflops, double Bf16Gflops, double MemoryGigabytes)
{
    private const int Rows = 1024, Depth = 512, Columns = 1024;

    /// <summary>Threads, processor features and library that these hold for.</summary>
    public string NumericsClass { get; init; } = TorchRuntime.NumericsClass;

    /// <summary>Measures for about two seconds: the best of several tries, since a peak is asked for.</summary>
    public static unsafe MachinePeaks Measure()
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var (x, weights, result) = (rand(Rows, Depth), rand(Columns, Depth), zeros(Rows, Columns));
        const double Flops = 2.0 * Rows * Depth * Columns;
        var blas = Flops / Best(25, () => nn.functional.linear(x, weights).Dispose());
        var kernel = 0.0;
        if (FusedKernels.IsAvailable)
        {
            var (a, b, c) = ((nint)TensorMemory.Address<float>(x), (nint)TensorMemory.Address<float>(weights), (nint)TensorMemory.Address<float>(result));
            kernel = Flops / Best(25, () => FusedKernels.Product(get_num_threads(), (float*)a, Rows, Depth, (float*)b, Columns, (float*)c));
        }
        var (half, halfWeights) = (x.to(bfloat16), weights.to(bfloat16));
        var bf16 = Flops / Best(3, () => nn.functional.linear(half, halfWeights).Dispose());
        var (from, to) = (zeros(64 << 20), zeros(64 << 20));
        var memory = 2.0 * 4 * (64 << 20) / Best(5, () => to.copy_(from));
        return new MachinePeaks(Math.Max(blas, kernel) / 1e9, blas / 1e9, kernel / 1e9, bf16 / 1e9, memory / 1e9);
    }

    private static double Best(int tries, Action work)
    {
        work();
        return Enumerable.Range(0, tries).Min(_ =>
        {
            var start = Stopwatch.GetTimestamp();
            work();
            return Stopwatch.GetElapsedTime(start).TotalSeconds;
        });
    }
}
