using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Quantizer.Folding;

/// <summary>
/// The scales that were found in one layer, and its weights with them folded in: columns of readers times s, rows of makers over s. A norm is stored
/// in the model's own type, so s is taken from the rounded norm: what the readers get is exactly what the norm lost.
/// </summary>
internal sealed class LayerFold : IDisposable
{
    private readonly Dictionary<string, Tensor> _columns = new(StringComparer.Ordinal); // (in)
    private readonly Dictionary<string, Tensor> _rows = new(StringComparer.Ordinal);    // (out), or (in) of a norm

    /// <summary>Plain tensors that are no longer what they were: norms, routers, gates, biases.</summary>
    public IReadOnlyCollection<string> Rewritten => [.. _rows.Keys.Concat(_columns.Keys).Distinct().Order(StringComparer.Ordinal)];

    /// <summary>Takes the scales of a group.</summary>
    /// <param name="group">Which.</param>
    /// <param name="scales">(in) positive; channels that the same row makes have the same.</param>
    /// <param name="maker">The maker's weight as it is stored.</param>
    public void Add(FoldGroup group, Tensor scales, Tensor maker)
    {
        using var scope = NewDisposeScope();
        var wide = scales.to(float32).cpu();
        if (group.MakerIsNorm)
        {
            var weight = maker.to(float32);
            var rounded = (weight / wide).to(maker.dtype).to(float32);
            wide = where((weight == 0).logical_or(rounded == 0), ones_like(weight), weight / rounded);
        }
        foreach (var reader in group.Coded.Concat(group.Plain))
            _columns.Add(reader, wide.clone().DetachFromDisposeScope());
        var rows = group.Repeats == 1 ? wide : wide.view(-1, group.Repeats, group.HeadSize).select(1, 0).flatten(); // (rows of the maker)
        foreach (var made in (string?[])[group.Maker, group.MakerBias])
        {
            if (made is not null)
                _rows.Add(made, rows.clone().DetachFromDisposeScope());
        }
    }

    /// <summary>Scales of a matrix's input (in), float32, which stay the fold's; null when it has none.</summary>
    public Tensor? ColumnScales(string name) => _columns.GetValueOrDefault(name);

    /// <summary>A weight with its scales folded in, float32, in the caller's dispose scope.</summary>
    /// <param name="name">Its name.</param>
    /// <param name="weight">(out, in) or (n), float32.</param>
    public Tensor Apply(string name, Tensor weight)
    {
        using var scope = NewDisposeScope();
        var folded = weight.alias();
        if (_columns.TryGetValue(name, out var columns))
            folded = folded * columns.unsqueeze(0);
        if (_rows.TryGetValue(name, out var rows))
            folded = folded / (weight.dim() == 1 ? rows : rows.unsqueeze(1));
        return folded.MoveToOuterDisposeScope();
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var scales in _columns.Values.Concat(_rows.Values))
            scales.Dispose();
    }
}
