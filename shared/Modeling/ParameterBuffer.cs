using Espalier.Modeling.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>One trainable tensor of a decoder.</summary>
/// <param name="Name">Hugging Face name; stacked experts carry the fused names of <see cref="TensorNames"/>.</param>
/// <param name="Value">The weights: a leaf, a view into the decoder's one buffer.</param>
/// <param name="Decays">Whether weight decay applies: matrices yes, norms and biases no.</param>
public sealed record NamedParameter(string Name, Tensor Value, bool Decays)
{
    /// <summary>Its place in the buffer.</summary>
    public BufferRange Range => new(Value.storage_offset(), Value.numel());
}

/// <summary>
/// All parameters of a decoder in one flat tensor, decayed ones first, so that an optimizer step, a norm or a save is a
/// few large operations instead of several per tensor. Gradients live in a second flat tensor of the same layout.
/// </summary>
public sealed class ParameterBuffer : IDisposable
{
    private const long Alignment = 16; // elements; keeps every view on a 64-byte boundary in float32

    private readonly List<NamedParameter> _parameters;

    internal ParameterBuffer(IReadOnlyList<(string Name, long[] Shape, bool Decays)> layout, ScalarType dtype, Device device)
    {
        using var scope = NewDisposeScope();
        var length = layout.Sum(entry => Padded(entry.Shape));
        DecayedLength = layout.Where(entry => entry.Decays).Sum(entry => Padded(entry.Shape));
        Values = zeros(length, dtype: dtype, device: device).DetachFromDisposeScope();
        Views = [];
        var offset = 0L;
        foreach (var (name, shape, decays) in layout.OrderBy(entry => !entry.Decays))
        {
            var view = Values.narrow(0, offset, Elements(shape)).view(shape).DetachFromDisposeScope();
            Views[name] = new NamedParameter(name, view, decays);
            offset += Padded(shape);
        }
        _parameters = [.. layout.Select(entry => Views[entry.Name])];
    }

    /// <summary>Every parameter, flat, with zero padding between them.</summary>
    public Tensor Values { get; }

    /// <summary>Gradients in the same layout, or null before <see cref="RequireGradients"/>.</summary>
    public Tensor? Gradients { get; private set; }

    /// <summary>Elements at the start that weight decay applies to.</summary>
    public long DecayedLength { get; }

    /// <summary>Parameters in layer order.</summary>
    public IReadOnlyList<NamedParameter> Parameters => _parameters;

    internal Dictionary<string, NamedParameter> Views { get; }

    /// <summary>Makes every parameter collect its gradient, added up in <see cref="Gradients"/> until that is zeroed.</summary>
    public void RequireGradients()
    {
        if (Gradients is not null)
            return;
        using var scope = NewDisposeScope();
        Gradients = zeros_like(Values).DetachFromDisposeScope();
        foreach (var parameter in _parameters)
        {
            var view = Gradients.narrow(0, parameter.Value.storage_offset(), parameter.Value.numel()).view(parameter.Value.shape);
            parameter.Value.requires_grad_(true);
            parameter.Value.grad = view;
        }
    }

    /// <summary>Sets all gradients to zero.</summary>
    public void ClearGradients()
    {
        using var untracked = no_grad();
        Gradients?.zero_();
    }

    /// <summary>Frees the buffers.</summary>
    public void Dispose()
    {
        foreach (var parameter in _parameters)
            parameter.Value.Dispose();
        Gradients?.Dispose();
        Values.Dispose();
    }

    private static long Elements(long[] shape) => shape.Aggregate(1L, (product, extent) => product * extent);

    private static long Padded(long[] shape) => (Elements(shape) + Alignment - 1) / Alignment * Alignment;
}
