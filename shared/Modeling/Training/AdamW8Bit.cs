using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// AdamW with moments of eight bits (arXiv 2110.02861): two bytes a weight and a scale for every 256, in place of eight bytes. A step
/// expands the moments of some blocks, updates them and the weights as <see cref="AdamW"/> does, and puts them back into codes
/// (<see cref="DynamicQuantization"/>). Embeddings, routers, norms, biases and whatever has fewer than 4,096 weights keep moments of
/// float32.
/// </summary>
public sealed class AdamW8Bit : IOptimizer
{
    private const int FewestWeights = 4096;
    private const long Chunk = 1 << 17; // elements, whole blocks

    private readonly ParameterBuffer _buffer;
    private readonly AdamWSettings _settings;
    private readonly StochasticRounding _rounding;
    private readonly AdamW _small;
    private readonly BufferParts _parts;
    private readonly Dictionary<string, Coded> _coded = [];
    private readonly Dictionary<Moment, Coding> _codings;
    private readonly Tensor _scratch; // (Chunk)

    /// <summary>Starts with zero moments; makes the buffer collect gradients.</summary>
    public AdamW8Bit(ParameterBuffer buffer, AdamWSettings settings, StochasticRounding rounding)
    {
        (_buffer, _settings, _rounding) = (buffer, settings, rounding);
        var device = buffer.Values.device;
        var large = buffer.Parameters.Where(IsCoded).OrderBy(parameter => parameter.Range.First).ToList();
        _parts = new BufferParts([.. large.Select(parameter => parameter.Range)]);
        _small = new AdamW(buffer, [.. buffer.Parameters.Where(p => !IsCoded(p)).Select(p => p.Range).OrderBy(range => range.First)])
        {
            Beta1 = settings.Beta1, Beta2 = settings.Beta2, Epsilon = settings.Epsilon, WeightDecay = settings.WeightDecay, Rounding = rounding,
        };
        var blocks = 0L;
        foreach (var parameter in large)
        {
            _coded[parameter.Name] = new Coded(parameter.Range, blocks, Blocks(parameter.Range.Length));
            blocks += Blocks(parameter.Range.Length);
        }
        _codings = Enum.GetValues<Moment>().ToDictionary(moment => moment, moment => new Coding(moment == Moment.First, blocks, device));
        _scratch = empty(Chunk, dtype: float32, device: device).DetachFromDisposeScope();
    }

    /// <inheritdoc/>
    public string Name => OptimizerNames.AdamW8Bit;

    /// <inheritdoc/>
    public long Steps { get => _small.Steps; set => _small.Steps = value; }

    /// <inheritdoc/>
    public IReadOnlyList<LateStart> Late { get => _small.Late; set => _small.Late = _parts.Late = value; }

    /// <inheritdoc/>
    public IReadOnlyList<BufferRange> Frozen { get => _small.Frozen; set => _small.Frozen = _parts.Frozen = value; }

    /// <inheritdoc/>
    public IReadOnlyList<RatedRange> Rates { get => _small.Rates; set => _small.Rates = _parts.Rates = value; }

    /// <summary>Whether moments of a parameter are codes.</summary>
    public static bool IsCoded(NamedParameter parameter) => IsCoded(parameter.Name, parameter.Value.numel(), parameter.Decays);

    /// <summary>Bytes of the moments of a model's weights.</summary>
    public static long StateBytes(ModelConfig config, bool routerBias) => DecoderLayout.Parameters(config, routerBias).Sum(entry =>
    {
        var count = entry.Shape.Aggregate(1L, (product, extent) => product * extent);
        return IsCoded(entry.Name, count, entry.Decays) ? 2 * Blocks(count) * (DynamicQuantization.Block + sizeof(float)) : 2 * sizeof(float) * count;
    });

    /// <inheritdoc/>
    public double Step(double learningRate, double gradientClip, double mostNorm = double.PositiveInfinity)
    {
        var (norm, taken) = GradientNorm.Take(_buffer, Frozen, gradientClip, mostNorm);
        if (taken is not { } scale)
            return norm;
        _small.Update(learningRate, scale);
        using var untracked = no_grad();
        foreach (var coded in _coded.Values)
            for (var start = 0L; start < coded.Range.Length; start += Chunk)
                UpdateChunk(coded, start, Math.Min(Chunk, coded.Range.Length - start), learningRate, scale);
        return norm;
    }

    private void UpdateChunk(Coded coded, long start, long length, double learningRate, double scale)
    {
        using var scope = NewDisposeScope();
        var position = coded.Range.First + start;
        var gathered = _buffer.Gradients!.narrow(0, position, length);
        var gradients = gathered.to(float32);
        using Scalar clipping = scale;
        if (scale != 1)
            gradients.mul_(clipping);
        var (firstBlock, blocks) = (coded.FirstBlock + start / DynamicQuantization.Block, Blocks(length));
        var (first, second) = (_codings[Moment.First].Expand(firstBlock, blocks), _codings[Moment.Second].Expand(firstBlock, blocks));
        AdamWRule.UpdateMoments(_settings, first.narrow(0, 0, length), second.narrow(0, 0, length), gradients);
        foreach (var part in _parts.Within(position, length))
        {
            using var partScope = NewDisposeScope();
            var stored = _buffer.Values.narrow(0, part.First, part.Length);
            var weights = stored.to(float32);
            AdamWRule.UpdateWeights(
                _settings, weights, decayed: part.Length, first.narrow(0, part.First - position, part.Length),
                second.narrow(0, part.First - position, part.Length), _scratch.narrow(0, 0, part.Length), learningRate * part.Factor,
                Steps - part.StepsBehind);
            if (stored.dtype != ScalarType.Float32)
                _rounding.Store(stored, weights, Steps, part.First);
        }
        _codings[Moment.First].Compress(firstBlock, blocks, first);
        _codings[Moment.Second].Compress(firstBlock, blocks, second);
        gathered.zero_();
    }

    /// <inheritdoc/>
    public Tensor? Moments(Moment moment, BufferRange range)
    {
        if (_coded.Values.FirstOrDefault(c => c.Range.First <= range.First && range.First < c.Range.First + c.Range.Length) is not { } coded)
            return _small.Moments(moment, range);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var start = range.First - coded.Range.First;
        var firstBlock = start / DynamicQuantization.Block;
        var blocks = Blocks(start + range.Length) - firstBlock;
        return _codings[moment].Expand(coded.FirstBlock + firstBlock, blocks)
            .narrow(0, start - firstBlock * DynamicQuantization.Block, range.Length).MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void SetMoments(Moment moment, NamedParameter parameter, Tensor values)
    {
        if (!_coded.TryGetValue(parameter.Name, out var coded))
        {
            _small.SetMoments(moment, parameter, values);
            return;
        }
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        var padded = zeros(coded.BlockCount * DynamicQuantization.Block, dtype: float32, device: _buffer.Values.device);
        padded.narrow(0, 0, coded.Range.Length).copy_(values);
        _codings[moment].Compress(coded.FirstBlock, coded.BlockCount, padded);
    }

    /// <inheritdoc/>
    public IEnumerable<(string Kind, Tensor Value)> State(NamedParameter parameter)
    {
        if (!_coded.TryGetValue(parameter.Name, out var coded))
        {
            foreach (var state in _small.State(parameter))
                yield return state;
            yield break;
        }
        foreach (var (moment, coding) in _codings)
        {
            yield return (StateKinds.Of(moment) + StateKinds.Codes, coding.Codes(coded.FirstBlock, coded.BlockCount));
            yield return (StateKinds.Of(moment) + StateKinds.Scales, coding.Scales(coded.FirstBlock, coded.BlockCount));
        }
    }

    /// <summary>Frees the moments.</summary>
    public void Dispose()
    {
        _small.Dispose();
        foreach (var coding in _codings.Values)
            coding.Dispose();
        _scratch.Dispose();
    }

    private static bool IsCoded(string name, long count, bool decays) =>
        decays && count >= FewestWeights && name != TensorNames.Embedding && !WeightKinds.IsRouter(name);

    private static long Blocks(long count) => (count + DynamicQuantization.Block - 1) / DynamicQuantization.Block;

    /// <summary>Where the codes of a parameter are.</summary>
    private sealed record Coded(BufferRange Range, long FirstBlock, long BlockCount);

    /// <summary>One moment of all coded parameters.</summary>
    private sealed class Coding(bool isSigned, long blocks, Device device) : IDisposable
    {
        private readonly DynamicQuantization _quantization = new(isSigned, device);
        private readonly Tensor _codes = zeros(blocks * DynamicQuantization.Block, dtype: uint8, device: device).DetachFromDisposeScope();
        private readonly Tensor _scales = zeros(blocks, dtype: float32, device: device).DetachFromDisposeScope();

        public Tensor Codes(long first, long count) => _codes.narrow(0, first * DynamicQuantization.Block, count * DynamicQuantization.Block);

        public Tensor Scales(long first, long count) => _scales.narrow(0, first, count);

        public Tensor Expand(long first, long count)
        {
            using var codes = Codes(first, count);
            using var scales = Scales(first, count);
            return _quantization.Expand(codes, scales);
        }

        public void Compress(long first, long count, Tensor values)
        {
            using var codes = Codes(first, count);
            using var scales = Scales(first, count);
            _quantization.Compress(values, codes, scales);
        }

        public void Dispose()
        {
            _quantization.Dispose();
            _codes.Dispose();
            _scales.Dispose();
        }
    }
}
