using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Modeling;

/// <summary>
/// Causal self-attention: softmax(q k / sqrt(D)) v per head, with heads of keys and values shared by groups of query
/// heads (arXiv 2305.13245), or computed from a latent vector (<see cref="LatentAttention"/>).
/// </summary>
public sealed partial class MoeDecoder
{
    private readonly Dictionary<long, Tensor> _masks = []; // (S, S) of 0 and -infinity by window

    private Tensor Attention(DecoderLayer layer, Tensor x, IMoeObserver? observer)
    {
        var (batch, length, weights) = (x.shape[0], x.shape[1], layer.Attention);
        var (query, key, value) = Config.Latent is { } latent ? LatentHeads(weights, latent, x) : PlainHeads(weights, x); // (B, nH, S, D), ..., (B, nH, S, dv)

        if (Config.Latent is not null && Config.RopeScaling is { } scaling)
            query = query * scaling.LatentSoftmaxFactor;
        var window = Config.WindowedLayers.Contains(layer.Index) ? Config.SlidingWindow!.Value : 0;
        var context = _cache is { } cache ? cache.Attend(layer.Index, query, key, value, window)
            : DocumentStarts is { } starts ? AttendWithin(starts, query, RepeatHeads(key), RepeatHeads(value), window)
            : Attend(query, key, value, window);                                             // (B, nH, S, dv)
        var merged = context.transpose(1, 2).reshape(batch, length, -1);                     // (B, S, nH dv)
        observer?.OnAttention(new AttentionTrace(layer.Index, x.flatten(0, 1), merged.flatten(0, 1)));
        return linear(merged, Cast(weights.Output), Cast(weights.OutputBias));               // (B, S, H)
    }

    private Tensor Attend(Tensor query, Tensor key, Tensor value, int window)
    {
        var mask = window == 0 ? null : WindowMask(query.shape[2], window);
        return scaled_dot_product_attention(query, RepeatHeads(key), RepeatHeads(value), mask, is_casual: mask is null);
    }

    private Tensor Rotate(Tensor heads)
    {
        using var positions = _cache?.PositionsOf(heads.shape[^2]);
        return _rotary.Apply(heads, positions);
    }

    private (Tensor Query, Tensor Key, Tensor Value) PlainHeads(AttentionWeights weights, Tensor x)
    {
        var query = linear(x, Cast(weights.Query), Cast(weights.QueryBias));                 // (B, S, nH D)
        var key = linear(x, Cast(weights.Key!), Cast(weights.KeyBias));                      // (B, S, nKV D)
        var value = linear(x, Cast(weights.Value!), Cast(weights.ValueBias));                // (B, S, nKV D)
        if (Config.QueryKeyNorm == QueryKeyNorm.Whole)
            (query, key) = (RmsNorm(query, weights.QueryNorm!), RmsNorm(key, weights.KeyNorm!));
        query = SplitHeads(Clip(query), Config.Heads);                                       // (B, nH, S, D)
        key = SplitHeads(Clip(key), Config.KeyValueHeads);                                   // (B, nKV, S, D)
        if (Config.QueryKeyNorm == QueryKeyNorm.PerHead)
            (query, key) = (RmsNorm(query, weights.QueryNorm!), RmsNorm(key, weights.KeyNorm!));
        return (Rotate(query), Rotate(key), SplitHeads(Clip(value), Config.KeyValueHeads));
    }

    private (Tensor Query, Tensor Key, Tensor Value) LatentHeads(AttentionWeights weights, LatentAttention latent, Tensor x)
    {
        var compressed = weights.QueryDown is { } down
            ? RmsNorm(linear(x, Cast(down), Cast(weights.QueryDownBias)), weights.QueryDownNorm!, LatentAttention.NormEpsilon) // (B, S, rq)
            : x;
        var queries = SplitHeads(linear(compressed, Cast(weights.Query)), Config.Heads);     // (B, nH, S, dn + dr)
        var both = linear(x, Cast(weights.KeyValueDown!), Cast(weights.KeyValueDownBias));   // (B, S, rkv + dr)
        var vector = RmsNorm(both.narrow(-1, 0, latent.KeyValueRank), weights.KeyValueDownNorm!, LatentAttention.NormEpsilon);
        var keysValues = SplitHeads(linear(vector, Cast(weights.KeyValueUp!)), Config.Heads); // (B, nH, S, dn + dv)
        var shared = RotateLatent(both.narrow(-1, latent.KeyValueRank, latent.RotarySize).unsqueeze(1)) // (B, 1, S, dr)
            .expand(x.shape[0], Config.Heads, x.shape[1], latent.RotarySize);
        return (
            cat([queries.narrow(-1, 0, latent.PlainSize), RotateLatent(queries.narrow(-1, latent.PlainSize, latent.RotarySize))], -1),
            cat([keysValues.narrow(-1, 0, latent.PlainSize), shared], -1),
            keysValues.narrow(-1, latent.PlainSize, latent.ValueSize));

        // Pairs that lie side by side are moved half a width apart: the order within a head is free, the same for q and k.
        Tensor RotateLatent(Tensor part) => Rotate(latent.Interleaved
            ? part.reshape([.. part.shape[..^1], latent.RotarySize / 2, 2]).transpose(-1, -2).reshape(part.shape)
            : part);
    }

    private Tensor SplitHeads(Tensor projected, int heads) => projected.view(projected.shape[0], projected.shape[1], heads, -1).transpose(1, 2);

    private Tensor Clip(Tensor projected) => Config.ClipQkv is { } bound ? projected.clamp(-bound, bound) : projected;

    private Tensor RepeatHeads(Tensor x)
    {
        var repeats = Config.Heads / x.shape[1]; // 1 for latent attention
        return repeats == 1 ? x : x.repeat_interleave(repeats, 1);
    }

    // Query i sees keys i - window < j <= i.
    private Tensor WindowMask(long length, long window)
    {
        if (_masks.TryGetValue(window, out var mask) && mask.shape[0] == length && mask.dtype == ComputeType)
            return mask;
        mask?.Dispose();
        using var untracked = no_grad();
        using var scope = NewDisposeScope();
        mask = full(length, length, double.NegativeInfinity, dtype: ComputeType, device: Device).triu_(1)
            + full(length, length, double.NegativeInfinity, dtype: ComputeType, device: Device).tril_(-window);
        return _masks[window] = mask.DetachFromDisposeScope();
    }
}
