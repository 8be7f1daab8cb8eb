using System.Diagnostics;
using Espalier.Kernels;
using Espalier.Modeling.Fused;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Runtime;

/// <summary>How many operations a second the machine does on one large product of matrices, the most that training could reach.</summary>
public static class ProductPeak
{
    private const int Tries = 6;
    private const long CpuWidth = 512, DeviceWidth = 4096;

    /// <summary>Multiplies a few times as the model's training does, in its type, on its device and threads; the fastest counts.</summary>
    public static double Measure(MoeDecoder decoder)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var isCpu = decoder.Device.type == DeviceType.CPU;
        var (width, usesKernels) = (isCpu ? CpuWidth : DeviceWidth, isCpu && decoder.UsesKernels && FusedKernels.IsAvailable);
        var type = usesKernels ? ScalarType.Float32 : decoder.ComputeType;
        var (a, b, c) = (Ones(), Ones(), Ones());
        var best = TimeSpan.MaxValue;
        for (var i = 0; i < Tries; i++)
        {
            var start = Stopwatch.GetTimestamp();
            if (usesKernels)
                Multiply(a, b, c, width, decoder.ComputeType == ScalarType.BFloat16 && FusedKernels.HasBf16);
            else
                c.copy_(a.matmul(b));
            if (!isCpu)
                cuda.synchronize(decoder.Device);
            var taken = Stopwatch.GetElapsedTime(start);
            best = taken < best ? taken : best;
        }
        return 2.0 * width * width * width / best.TotalSeconds;

        Tensor Ones() => ones([width, width], dtype: type, device: decoder.Device);
    }

    private static unsafe void Multiply(Tensor a, Tensor b, Tensor c, long width, bool bf16) => FusedKernels.Product(
        get_num_threads(), TensorMemory.Address<float>(a), width, width, TensorMemory.Address<float>(b), width, TensorMemory.Address<float>(c), bf16 ? 1 : 0);
}
