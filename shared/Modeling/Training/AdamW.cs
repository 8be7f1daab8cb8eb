using Espalier.Kernels;
using Espalier.Modeling.Fused;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// AdamW (arXiv 1711.05101) over a <see cref="ParameterBuffer"/>, or over parts of one, with float32 moments:
/// w -= lr d w for decayed weights; m = b1 m + (1 - b1) g; v = b2 v + (1 - b2) g^2;
/// w -= lr m / (1 - b1^t) / (sqrt(v / (1 - b2^t)) + eps). All tensors lie in one buffer, which is walked in blocks that
/// fit the cache: the cost is one pass over memory, whatever the number of experts. Weights in bfloat16 are widened block by block,
/// and rounded at random (<see cref="StochasticRounding"/>).
/// </summary>
public sealed class AdamW : IOptimizer
{
    private const long Block = 1 << 17; // elements: five arrays of 512 KiB

    private readonly ParameterBuffer _buffer;
    private readonly BufferParts _parts;
    private readonly Tensor _scratch; // (Block)

    /// <summary>Starts with zero moments; makes the buffer collect gradients.</summary>
    public AdamW(ParameterBuffer buffer) : this(buffer, [new BufferRange(0, buffer.Values.numel())])
    {
    }

    /// <summary>As the other, over some parts of the buffer, ascending; their moments lie one after the other.</summary>
    public AdamW(ParameterBuffer buffer, IReadOnlyList<BufferRange> covered)
    {
        _buffer = buffer;
        _parts = new BufferParts(covered);
        buffer.RequireGradients();
        FirstMoment = zeros(_parts.Length, dtype: float32, device: buffer.Values.device).DetachFromDisposeScope();
        SecondMoment = zeros(_parts.Length, dtype: float32, device: buffer.Values.device).DetachFromDisposeScope();
        _scratch = empty(Math.Min(Block, buffer.Values.numel()), dtype: float32, device: buffer.Values.device).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public string Name => OptimizerNames.AdamW;

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

    /// <summary>How weights in bfloat16 are rounded; weights in float32 are not.</summary>
    /// <value>with seed 0</value>
    public StochasticRounding Rounding { get; init; } = new(0);

    /// <summary>Whether fused kernels may be used where there are any; off, the plain twin runs.</summary>
    /// <value>true</value>
    public bool UsesKernels { get; set; } = true;

    /// <inheritdoc/>
    public long Steps { get; set; }

    /// <inheritdoc/>
    public IReadOnlyList<LateStart> Late { get => _parts.Late; set => _parts.Late = value; }

    /// <inheritdoc/>
    public IReadOnlyList<BufferRange> Frozen { get => _parts.Frozen; set => _parts.Frozen = value; }

    /// <inheritdoc/>
    public IReadOnlyList<RatedRange> Rates { get => _parts.Rates; set => _parts.Rates = value; }

    /// <summary>m, in the buffer's layout when it covers all of it.</summary>
    public Tensor FirstMoment { get; }

    /// <summary>v, in the same layout.</summary>
    public Tensor SecondMoment { get; }

    /// <inheritdoc/>
    public double Step(double learningRate, double gradientClip, double mostNorm = double.PositiveInfinity)
    {
        var (norm, scale) = GradientNorm.Take(_buffer, Frozen, gradientClip, mostNorm, UsesKernels);
        if (scale is { } taken)
            Update(learningRate, taken);
        return norm;
    }

    /// <summary>Takes a step with gradients times <paramref name="scale"/>, and clears those of the covered parts.</summary>
    internal void Update(double learningRate, double scale)
    {
        Steps++;
        if (UsesKernels && GradientNorm.HasKernels(_buffer))
        {
            UpdateFused(learningRate, scale);
            return;
        }
        using var untracked = no_grad();
        var settings = new AdamWSettings(Beta1, Beta2, Epsilon, WeightDecay);
        foreach (var part in _parts.All)
            for (var start = 0L; start < part.Length; start += Block)
                UpdateBlock(settings, part, start, Math.Min(Block, part.Length - start), learningRate * part.Factor, scale);
    }

    // The same in one pass over memory.
    private unsafe void UpdateFused(double learningRate, double scale)
    {
        var threads = get_num_threads();
        foreach (var part in _parts.All)
        {
            var (rate, steps) = (learningRate * part.Factor, Steps - part.StepsBehind);
            var arguments = new AdamWArguments
            {
                Threads = threads,
                Count = part.Length,
                Decayed = Math.Clamp(_buffer.DecayedLength - part.First, 0, part.Length),
                Weights = TensorMemory.Address<float>(_buffer.Values) + part.First,
                Gradients = TensorMemory.Address<float>(_buffer.Gradients!) + part.First,
                First = TensorMemory.Address<float>(FirstMoment) + part.State,
                Second = TensorMemory.Address<float>(SecondMoment) + part.State,
                Beta1 = Beta1,
                Beta2 = Beta2,
                Epsilon = Epsilon,
                StepSize = rate / (1 - Math.Pow(Beta1, steps)),
                Decay = rate * WeightDecay,
                RootCorrection = Math.Sqrt(1 - Math.Pow(Beta2, steps)),
                GradientScale = scale,
            };
            FusedKernels.AdamW(&arguments);
        }
    }

    private void UpdateBlock(AdamWSettings settings, BufferPart part, long start, long length, double learningRate, double scale)
    {
        using var scope = NewDisposeScope();
        var stored = _buffer.Values.narrow(0, part.First + start, length);
        var gathered = _buffer.Gradients!.narrow(0, part.First + start, length);
        var (weights, gradients) = (stored.to(float32), gathered.to(float32)); // the same tensors when they are float32
        var first = FirstMoment.narrow(0, part.State + start, length);
        var second = SecondMoment.narrow(0, part.State + start, length);
        using Scalar clipping = scale;
        if (scale != 1)
            gradients.mul_(clipping);
        AdamWRule.UpdateMoments(settings, first, second, gradients);
        AdamWRule.UpdateWeights(
            settings, weights, Math.Clamp(_buffer.DecayedLength - part.First - start, 0, length), first, second, _scratch.narrow(0, 0, length),
            learningRate, Steps - part.StepsBehind);
        if (stored.dtype != ScalarType.Float32)
            Rounding.Store(stored, weights, Steps, part.First + start);
        gathered.zero_();
    }

    /// <inheritdoc/>
    public Tensor? Moments(Moment moment, BufferRange range) =>
        _parts.StateOf(range.First) is { } state ? Of(moment).narrow(0, state, range.Length) : null;

    /// <inheritdoc/>
    public void SetMoments(Moment moment, NamedParameter parameter, Tensor values)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        Moments(moment, parameter.Range)?.copy_(values);
    }

    /// <inheritdoc/>
    public IEnumerable<(string Kind, Tensor Value)> State(NamedParameter parameter)
    {
        foreach (var moment in Enum.GetValues<Moment>())
            if (Moments(moment, parameter.Range) is { } values)
                yield return (StateKinds.Of(moment), values);
    }

    private Tensor Of(Moment moment) => moment == Moment.First ? FirstMoment : SecondMoment;

    /// <summary>Frees the moments.</summary>
    public void Dispose()
    {
        FirstMoment.Dispose();
        SecondMoment.Dispose();
        _scratch.Dispose();
    }
}
