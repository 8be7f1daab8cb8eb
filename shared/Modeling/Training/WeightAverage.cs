using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// An exponential moving average of the weights, float32: a += (1 - d) (w - a) after every step, with d at most (1 + n) / (10 + n)
/// after n steps, so that what the run began with does not stay in it for long.
/// </summary>
public sealed class WeightAverage : IDisposable
{
    private const long Block = 1 << 22;

    private readonly ParameterBuffer _buffer;
    private readonly double _decay;
    private readonly Tensor _average;

    /// <summary>Begins with the weights as they are.</summary>
    /// <param name="buffer">The weights.</param>
    /// <param name="decay">How much of the average is kept at each step, d.</param>
    public WeightAverage(ParameterBuffer buffer, double decay)
    {
        (_buffer, _decay) = (buffer, decay);
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        _average = buffer.Values.detach().to(float32, copy: true).DetachFromDisposeScope();
    }

    /// <summary>Takes the weights in after the run's <paramref name="step"/>th step, from 1.</summary>
    public void Update(long step)
    {
        using var untracked = no_grad();
        for (long first = 0, count = _average.numel(); first < count; first += Block)
        {
            using var scope = NewDisposeScope();
            var length = Math.Min(Block, count - first);
            var share = tensor((float)(1 - Math.Min(_decay, (1.0 + step) / (10 + step))), device: _average.device);
            _average.narrow(0, first, length).lerp_(_buffer.Values.narrow(0, first, length).to(float32), share);
        }
    }

    /// <summary>The average of a parameter, flat: a view, which the caller disposes.</summary>
    public Tensor Of(NamedParameter parameter) => _average.narrow(0, parameter.Range.First, parameter.Range.Length);

    /// <summary>Puts the average in the place of the weights, which are lost.</summary>
    public void Apply()
    {
        using var untracked = no_grad();
        _buffer.Values.copy_(_average);
    }

    /// <summary>Frees the average.</summary>
    public void Dispose() => _average.Dispose();
}
