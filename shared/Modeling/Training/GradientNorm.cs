using Espalier.Kernels;
using Espalier.Modeling.Fused;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>The norm of the gathered gradients, and the factor that clips them.</summary>
internal static class GradientNorm
{
    private const long Block = 1 << 22; // elements that are widened at once

    /// <summary>Clears the gradients of what is not trained, and gives the norm of the rest.</summary>
    /// <exception cref="NotFiniteNumberException">It is NaN or infinite.</exception>
    public static double Of(ParameterBuffer buffer, IReadOnlyList<BufferRange> frozen, bool usesKernels)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var gradients = buffer.Gradients!;
        foreach (var range in frozen)
            gradients.narrow(0, range.First, range.Length).zero_();
        var norm = usesKernels && HasKernels(buffer) ? Fused(gradients)
            : gradients.dtype == ScalarType.Float32 ? gradients.norm().item<float>() : Widened(gradients);
        return double.IsFinite(norm) ? norm : throw new NotFiniteNumberException("The gradient norm is not finite.", norm);
    }

    /// <summary>The norm, as <see cref="Of"/>, and what gradients of that norm are multiplied by; above the limit they are cleared, and it is null.</summary>
    /// <param name="buffer">Weights and gradients.</param>
    /// <param name="frozen">What is not trained.</param>
    /// <param name="clip">Norm to which larger ones are scaled; 0 for no limit.</param>
    /// <param name="most">Norm above which no step is taken.</param>
    /// <param name="usesKernels">Whether kernels may compute it.</param>
    /// <exception cref="NotFiniteNumberException">It is NaN or infinite.</exception>
    public static (double Norm, double? Scale) Take(
        ParameterBuffer buffer, IReadOnlyList<BufferRange> frozen, double clip, double most, bool usesKernels = true)
    {
        var norm = Of(buffer, frozen, usesKernels);
        if (norm <= most)
            return (norm, clip > 0 && norm > clip ? clip / (norm + 1e-6) : 1);
        buffer.ClearGradients();
        return (norm, null);
    }

    /// <summary>Whether kernels exist for this buffer.</summary>
    public static bool HasKernels(ParameterBuffer buffer) =>
        buffer.Values.dtype == ScalarType.Float32 && buffer.Values.device_type == DeviceType.CPU && FusedKernels.IsAvailable;

    private static unsafe double Fused(Tensor gradients) =>
        Math.Sqrt(FusedKernels.SumOfSquares(get_num_threads(), TensorMemory.Address<float>(gradients), gradients.numel()));

    private static double Widened(Tensor gradients)
    {
        var sums = new List<Tensor>();
        for (long first = 0, count = gradients.numel(); first < count; first += Block)
        {
            using var scope = NewDisposeScope();
            var wide = gradients.narrow(0, first, Math.Min(Block, count - first)).to(float32);
            sums.Add(wide.mul_(wide).sum(ScalarType.Float64).MoveToOuterDisposeScope());
        }
        return Math.Sqrt(stack(sums).sum().item<double>());
    }
}
