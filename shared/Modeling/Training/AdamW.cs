using Espalier.Kernels;
using Espalier.Modeling.Fused;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// AdamW (arXiv 1711.05101) over a <see cref="ParameterBuffer"/>, float32:
/// w -= lr d w for decayed weights; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
/// w -= lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps). All tensors lie in one buffer, which is walked in blocks that
/// fit the cache: the cost is one pass over memory, whatever the number of experts.
/// </summary>
public sealed class AdamW : IDisposable
{
    private const long Block = 1 << 17; // elements: five arrays of 512 KiB

    private readonly ParameterBuffer _buffer;
    private readonly Tensor _scratch; // (Block)

    /// <summary>Starts with zero moments; makes the buffer collect gradients.</summary>
    public AdamW(ParameterBuffer buffer)
    {
        _buffer = buffer;
        buffer.RequireGradients();
        FirstMoment = zeros_like(buffer.Values).DetachFromDisposeScope();
        SecondMoment = zeros_like(buffer.Values).DetachFromDisposeScope();
        _scratch = empty(Math.Min(Block, buffer.Values.numel()), dtype: float32, device: buffer.Values.device).DetachFromDisposeScope();
    }

    /// <summary>Decay rate of the first moment.</summary>
    /// <value>0.9</value>
    public double Beta1 { get; init; } = 0.9;

    /// <summary>Decay rate of the second moment.</summary>
    /// <value>0.95</value>
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Added to the root of the second moment.</summary>
    /// <value>1e-8</value>
    public double Epsilon { get; init; } = 1e-8;

    /// <summary>Weight decay d.</summary>
    /// <value>0.1</value>
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>Whether fused kernels may be used where there are any; off, the plain twin runs.</summary>
    /// <value>true</value>
    public bool UsesKernels { get; set; } = true;

    /// <summary>Steps taken, t.</summary>
    public long Steps { get; set; }

    /// <summary>Parts of the buffer whose moments are younger than <see cref="Steps"/>: ascending, apart from each other.</summary>
    /// <value>none</value>
    public IReadOnlyList<LateStart> Late { get; set; } = [];

    /// <summary>
    /// Parts of the buffer that are not trained: neither stepped nor decayed, their gradients left out of the norm.
    /// Ascending, apart from each other.
    /// </summary>
    /// <value>none</value>
    public IReadOnlyList<BufferRange> Frozen { get; set; } = [];

    /// <summary>m, in the buffer's layout.</summary>
    public Tensor FirstMoment { get; }

    /// <summary>v, in the buffer's layout.</summary>
    public Tensor SecondMoment { get; }

    /// <summary>
    /// Scales the gathered gradients so that their norm is at most <paramref name="gradientClip"/> (0 for no limit),
    /// takes one step, clears the gradients, and returns the norm before clipping.
    /// </summary>
    /// <exception cref="NotFiniteNumberException">The norm is NaN or infinite; nothing was changed.</exception>
    public double Step(double learningRate, double gradientClip)
    {
        ClearFrozen();
        if (UsesKernels && _buffer.Values.dtype == ScalarType.Float32 && _buffer.Values.device_type == DeviceType.CPU && FusedKernels.IsAvailable)
            return FusedStep(learningRate, gradientClip);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var gradients = _buffer.Gradients!;
        var norm = gradients.norm().item<float>();
        if (!float.IsFinite(norm))
            throw new NotFiniteNumberException("The gradient norm is not finite.", norm);
        if (gradientClip > 0 && norm > gradientClip)
            gradients.mul_(gradientClip / (norm + 1e-6));

        Steps++;
        foreach (var (first, length, steps) in Parts())
            for (var start = first; start < first + length; start += Block)
                UpdateBlock(start, Math.Min(Block, first + length - start), learningRate, steps);
        return norm;
    }

    // The same in one pass over memory.
    private unsafe double FusedStep(double learningRate, double gradientClip)
    {
        var (count, threads) = (_buffer.Values.numel(), get_num_threads());
        var gradients = TensorMemory.Address<float>(_buffer.Gradients!);
        var norm = Math.Sqrt(FusedKernels.SumOfSquares(threads, gradients, count));
        if (!double.IsFinite(norm))
            throw new NotFiniteNumberException("The gradient norm is not finite.", norm);
        Steps++;
        foreach (var (first, length, steps) in Parts())
        {
            var arguments = new AdamWArguments
            {
                Threads = threads,
                Count = length,
                Decayed = Math.Clamp(_buffer.DecayedLength - first, 0, length),
                Weights = TensorMemory.Address<float>(_buffer.Values) + first,
                Gradients = gradients + first,
                First = TensorMemory.Address<float>(FirstMoment) + first,
                Second = TensorMemory.Address<float>(SecondMoment) + first,
                Beta1 = Beta1,
                Beta2 = Beta2,
                Epsilon = Epsilon,
                StepSize = learningRate / (1 - Math.Pow(Beta1, steps)),
                Decay = learningRate * WeightDecay,
                RootCorrection = Math.Sqrt(1 - Math.Pow(Beta2, steps)),
                GradientScale = gradientClip > 0 && norm > gradientClip ? gradientClip / (norm + 1e-6) : 1,
            };
            FusedKernels.AdamW(&arguments);
        }
        return norm;
    }

    private void ClearFrozen()
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        foreach (var range in Frozen)
            _buffer.Gradients!.narrow(0, range.First, range.Length).zero_();
    }

    // The trained part of the buffer in runs of one age: where each begins, its length, and its own t.
    private IEnumerable<(long First, long Length, long Steps)> Parts()
    {
        foreach (var (first, length, steps) in Ages())
        {
            var next = first;
            foreach (var frozen in Frozen.Where(range => range.First < first + length && range.First + range.Length > first))
            {
                if (frozen.First > next)
                    yield return (next, frozen.First - next, steps);
                next = frozen.First + frozen.Length;
            }
            if (next < first + length)
                yield return (next, first + length - next, steps);
        }
    }

    private IEnumerable<(long First, long Length, long Steps)> Ages()
    {
        var first = 0L;
        foreach (var late in Late)
        {
            if (late.First > first)
                yield return (first, late.First - first, Steps);
            yield return (late.First, late.Length, Steps - late.StepsBehind);
            first = late.First + late.Length;
        }
        if (first < _buffer.Values.numel())
            yield return (first, _buffer.Values.numel() - first, Steps);
    }

    private void UpdateBlock(long start, long length, double learningRate, long steps)
    {
        using var scope = NewDisposeScope();
        var weights = _buffer.Values.narrow(0, start, length);
        var gradients = _buffer.Gradients!.narrow(0, start, length);
        var first = FirstMoment.narrow(0, start, length);
        var second = SecondMoment.narrow(0, start, length);
        var scratch = _scratch.narrow(0, 0, length);
        var decayed = Math.Clamp(_buffer.DecayedLength - start, 0, length);
        // A Scalar that nothing refers to is freed by the next collection, even while native code reads it: the wrapper of a call keeps
        // its handle only. So each has a name here, and lives until it is disposed of; add_ of a number would make one more by itself.
        using Scalar one = 1, keptFirst = Beta1, newFirst = 1 - Beta1, keptSecond = Beta2, newSecond = 1 - Beta2;
        using Scalar decay = 1 - learningRate * WeightDecay, bias = Math.Sqrt(1 - Math.Pow(Beta2, steps)), epsilon = Epsilon;
        using Scalar rate = -learningRate / (1 - Math.Pow(Beta1, steps));
        if (WeightDecay > 0 && decayed > 0)
            weights.narrow(0, 0, decayed).mul_(decay);
        first.mul_(keptFirst).add_(gradients, newFirst);
        second.mul_(keptSecond).addcmul_(gradients, gradients, newSecond);
        scratch.copy_(second).sqrt_().div_(bias).add_(epsilon, one);
        weights.addcdiv_(first, scratch, rate);
        gradients.zero_();
    }

    /// <summary>Frees the moments.</summary>
    public void Dispose()
    {
        FirstMoment.Dispose();
        SecondMoment.Dispose();
        _scratch.Dispose();
    }
}

/// <summary>A part of the buffer.</summary>
/// <param name="First">First element.</param>
/// <param name="Length">Elements.</param>
public readonly record struct BufferRange(long First, long Length);

/// <summary>A part of the buffer that joined training later: its bias corrections use its own step count.</summary>
/// <param name="First">First element.</param>
/// <param name="Length">Elements.</param>
/// <param name="StepsBehind">Optimizer steps that it has not taken.</param>
public readonly record struct LateStart(long First, long Length, long StepsBehind);
