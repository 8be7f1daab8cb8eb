using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Muon (K. Jordan and others, 2024) for the matrices of attention and feed-forwards, each expert's gate, up and down a matrix of its
/// own: M = mu M + G; O = <see cref="NewtonSchulz"/> of G + mu M; W = W (1 - lr d) - lr 0.2 sqrt(max(rows, columns)) O, so that one
/// learning rate serves both it and AdamW (Moonlight, arXiv 2502.16982). One moment a weight, not two. Embeddings, head, routers,
/// norms and biases stay with <see cref="AdamW"/>.
/// </summary>
public sealed class Muon : IOptimizer
{
    private const double Momentum = 0.95;
    private const double MatchingAdamW = 0.2;
    private const long Chunk = 1 << 24; // elements of matrices that are worked on together

    private readonly ParameterBuffer _buffer;
    private readonly AdamWSettings _settings;
    private readonly StochasticRounding _rounding;
    private readonly AdamW _others;
    private readonly BufferParts _parts;
    private readonly List<Stack> _stacks;
    private readonly Tensor _momentum;

    /// <summary>Starts with zero moments; makes the buffer collect gradients.</summary>
    public Muon(ParameterBuffer buffer, AdamWSettings settings, StochasticRounding rounding)
    {
        (_buffer, _settings, _rounding) = (buffer, settings, rounding);
        _stacks = [.. buffer.Parameters.Where(IsMatrix).OrderBy(parameter => parameter.Range.First).Select(Stack.Of)];
        _parts = new BufferParts([.. _stacks.Select(stack => stack.Range)]);
        _others = new AdamW(buffer, [.. buffer.Parameters.Where(p => !IsMatrix(p)).Select(p => p.Range).OrderBy(range => range.First)])
        {
            Beta1 = settings.Beta1, Beta2 = settings.Beta2, Epsilon = settings.Epsilon, WeightDecay = settings.WeightDecay, Rounding = rounding,
        };
        _momentum = zeros(_parts.Length, dtype: float32, device: buffer.Values.device).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public string Name => OptimizerNames.Muon;

    /// <inheritdoc/>
    public long Steps { get => _others.Steps; set => _others.Steps = value; }

    /// <inheritdoc/>
    public IReadOnlyList<LateStart> Late { get => _others.Late; set => _others.Late = _parts.Late = value; }

    /// <inheritdoc/>
    public IReadOnlyList<BufferRange> Frozen { get => _others.Frozen; set => _others.Frozen = _parts.Frozen = value; }

    /// <inheritdoc/>
    public IReadOnlyList<RatedRange> Rates { get => _others.Rates; set => _others.Rates = _parts.Rates = value; }

    /// <summary>Whether Muon trains a parameter.</summary>
    public static bool IsMatrix(NamedParameter parameter) => IsMatrix(parameter.Name, parameter.Value.shape, parameter.Decays);

    /// <summary>Bytes of the moments of a model's weights, and of what a step needs beside them for the largest piece.</summary>
    public static (long State, long Scratch) Bytes(ModelConfig config, bool routerBias)
    {
        var (state, largest) = (0L, 0L);
        foreach (var (name, shape, decays) in DecoderLayout.Parameters(config, routerBias))
        {
            var count = shape.Aggregate(1L, (product, extent) => product * extent);
            var isMatrix = IsMatrix(name, shape, decays);
            state += (isMatrix ? 1 : 2) * sizeof(float) * count;
            if (isMatrix)
                largest = Math.Max(largest, Math.Max(Math.Min(count, Chunk), shape[^1] * shape[^2]));
        }
        return (state, 5 * sizeof(float) * largest); // the update, X of two iterations, A and its polynomial
    }

    /// <inheritdoc/>
    public double Step(double learningRate, double gradientClip, double mostNorm = double.PositiveInfinity)
    {
        var (norm, taken) = GradientNorm.Take(_buffer, Frozen, gradientClip, mostNorm);
        if (taken is not { } scale)
            return norm;
        _others.Update(learningRate, scale);
        using var untracked = no_grad();
        var state = 0L;
        foreach (var stack in _stacks)
        {
            var together = Math.Max(1, Chunk / stack.Size);
            for (var first = 0L; first < stack.Count; first += together)
                Update(stack, first, Math.Min(together, stack.Count - first), state, learningRate, scale);
            state += stack.Range.Length;
        }
        return norm;
    }

    private void Update(Stack stack, long first, long count, long state, double learningRate, double scale)
    {
        using var scope = NewDisposeScope();
        var (start, length) = (first * stack.Size, count * stack.Size);
        long[] shape = [count, stack.Rows, stack.Columns];
        var stored = _buffer.Values.narrow(0, stack.Range.First + start, length);
        var gathered = _buffer.Gradients!.narrow(0, stack.Range.First + start, length);
        var (weights, gradients) = (stored.to(float32).view(shape), gathered.to(float32).view(shape));
        var momentum = _momentum.narrow(0, state + start, length).view(shape);
        using Scalar clipping = scale, kept = Momentum, one = 1;
        if (scale != 1)
            gradients.mul_(clipping);
        momentum.mul_(kept).add_(gradients, one);
        var direction = NewtonSchulz.Orthogonalize(gradients.add_(momentum, kept));
        var size = MatchingAdamW * Math.Sqrt(Math.Max(stack.Rows, stack.Columns));
        weights.mul_(Each(rate => 1 - rate * _settings.WeightDecay)).sub_(direction.mul_(Each(rate => rate * size)));
        if (stored.dtype != ScalarType.Float32)
            _rounding.Store(stored, weights.view(-1), Steps, stack.Range.First + start);
        gathered.zero_();

        // A number for each matrix, from its own learning rate; a frozen one has none.
        Tensor Each(Func<double, double> ofRate) => tensor(
            Enumerable.Range(0, (int)count).Select(i => (float)ofRate(learningRate * FactorOf(stack.Range.First + start + i * stack.Size))).ToArray(),
            [count, 1, 1], device: _buffer.Values.device);
    }

    private double FactorOf(long element) => _parts.Within(element, 1).Select(part => part.Factor).FirstOrDefault();

    /// <inheritdoc/>
    public Tensor? Moments(Moment moment, BufferRange range) => _parts.StateOf(range.First) is not { } state ? _others.Moments(moment, range)
        : moment == Moment.First ? _momentum.narrow(0, state, range.Length) : null;

    /// <inheritdoc/>
    public void SetMoments(Moment moment, NamedParameter parameter, Tensor values)
    {
        using var untracked = no_grad();
        using var kept = Moments(moment, parameter.Range);
        kept?.copy_(values);
    }

    /// <inheritdoc/>
    public IEnumerable<(string Kind, Tensor Value)> State(NamedParameter parameter)
    {
        foreach (var moment in Enum.GetValues<Moment>())
            if (Moments(moment, parameter.Range) is { } values)
                yield return (StateKinds.Of(moment), values);
    }

    /// <summary>Frees the moments.</summary>
    public void Dispose()
    {
        _others.Dispose();
        _momentum.Dispose();
    }

    private static bool IsMatrix(string name, long[] shape, bool decays) =>
        decays && shape.Length >= 2 && shape[^2] > 1 && !WeightKinds.IsEmbedding(name) && !WeightKinds.IsRouter(name);

    /// <summary>Matrices of one shape that lie one after the other.</summary>
    private sealed record Stack(BufferRange Range, long Count, long Rows, long Columns)
    {
        public long Size => Rows * Columns;

        // Gate and up of an expert, (2F, H), are two matrices.
        public static Stack Of(NamedParameter parameter)
        {
            var shape = parameter.Value.shape;
            var rows = parameter.Name.EndsWith("gate_up_proj", StringComparison.Ordinal) ? shape[^2] / 2 : shape[^2];
            return new Stack(parameter.Range, parameter.Range.Length / (rows * shape[^1]), rows, shape[^1]);
        }
    }
}
