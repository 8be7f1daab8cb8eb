using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Generation;

/// <summary>
/// Keys and values of the tokens that a decoder has seen, so that each further token costs one pass over itself. Sequences of unequal
/// length end together: shorter ones begin with filling that nothing sees.
/// </summary>
public sealed class KeyValueCache : IDisposable
{
    private readonly Tensor _filling; // (B), int64: slots before a sequence begins
    private readonly Tensor?[] _keys, _values; // by layer, (B, heads, capacity, width)
    private readonly long _capacity;

    /// <summary>An empty cache.</summary>
    /// <param name="config">The model.</param>
    /// <param name="filling">For each sequence, slots at its beginning that hold no token of it.</param>
    /// <param name="capacity">Slots in all, filling included.</param>
    /// <param name="device">Where the model is.</param>
    public KeyValueCache(ModelConfig config, IReadOnlyList<int> filling, int capacity, Device device)
    {
        (_keys, _values, _capacity) = (new Tensor[config.Layers], new Tensor[config.Layers], capacity);
        _filling = tensor(filling.Select(f => (long)f).ToArray(), device: device).DetachFromDisposeScope();
        HasFilling = filling.Any(f => f > 0);
    }

    /// <summary>Slots that hold tokens.</summary>
    public int Length { get; private set; }

    private bool HasFilling { get; }

    /// <summary>Positions (B, n), int64, of the next n tokens; filling counts as position 0.</summary>
    internal Tensor PositionsOf(long count)
    {
        using var scope = NewDisposeScope();
        var slots = arange(Length, Length + count, dtype: int64, device: _filling.device).unsqueeze(0);
        return (slots - _filling.unsqueeze(1)).clamp_min(0).MoveToOuterDisposeScope();
    }

    /// <summary>Attention of the next tokens of a layer to all that came before and to each other.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="query">(B, nH, n, D).</param>
    /// <param name="key">(B, nKV, n, D), kept.</param>
    /// <param name="value">(B, nKV, n, dv), kept.</param>
    /// <param name="window">How many of the last positions a query sees; 0 for all.</param>
    /// <returns>(B, nH, n, dv).</returns>
    internal Tensor Attend(int layer, Tensor query, Tensor key, Tensor value, int window)
    {
        var end = Length + key.shape[2];
        var (keys, values) = (Keep(ref _keys[layer], key).narrow(2, 0, end), Keep(ref _values[layer], value).narrow(2, 0, end));
        var repeats = query.shape[1] / key.shape[1];
        if (repeats > 1)
            (keys, values) = (keys.repeat_interleave(repeats, 1), values.repeat_interleave(repeats, 1));
        var isWhole = !HasFilling && window == 0;
        return isWhole && Length == 0 ? nn.functional.scaled_dot_product_attention(query, keys, values, is_casual: true)
            : isWhole && key.shape[2] == 1 ? nn.functional.scaled_dot_product_attention(query, keys, values)
            : nn.functional.scaled_dot_product_attention(query, keys, values, Mask(key.shape[2], end, window, query.dtype));
    }

    /// <summary>Counts tokens that every layer has seen.</summary>
    internal void Advance(long count) => Length += (int)count;

    /// <inheritdoc/>
    public void Dispose()
    {
        _filling.Dispose();
        foreach (var kept in _keys.Concat(_values))
            kept?.Dispose();
    }

    private Tensor Keep(ref Tensor? kept, Tensor added)
    {
        kept ??= zeros([added.shape[0], added.shape[1], _capacity, added.shape[3]], dtype: added.dtype, device: added.device).DetachFromDisposeScope();
        using var place = kept.narrow(2, Length, added.shape[2]);
        place.copy_(added);
        return kept;
    }

    // (B, 1, n, end) of 0 and -infinity. Filling sees itself, so that no row is empty.
    private Tensor Mask(long count, long end, int window, ScalarType dtype)
    {
        var slots = arange(end, dtype: int64, device: _filling.device).view(1, 1, -1);
        var own = arange(Length, end, dtype: int64, device: _filling.device).view(1, -1, 1);
        var sees = slots.le(own).logical_and(slots.ge(_filling.view(-1, 1, 1)));
        if (window > 0)
            sees = sees.logical_and(slots.gt(own - window));
        sees = sees.logical_or(slots.eq(own));
        return zeros([_filling.shape[0], count, end], dtype: dtype, device: _filling.device)
            .masked_fill(sees.logical_not(), double.NegativeInfinity).unsqueeze(1);
    }
}
