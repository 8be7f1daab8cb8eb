using Espalier.Modeling.Generation;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>Tokens that follow others, by a <see cref="KeyValueCache"/>. Runs plain: kernels see whole sequences only.</summary>
public sealed partial class MoeDecoder
{
    private KeyValueCache? _cache;

    /// <summary>Runs the tokens that follow those in the cache, and adds them to it. Without gradients.</summary>
    /// <param name="tokens">(B, n), int64.</param>
    /// <param name="cache">What came before.</param>
    /// <returns>Logits of the last token of each sequence (B, V), float32.</returns>
    public Tensor Continue(Tensor tokens, KeyValueCache cache)
    {
        using var scope = NewDisposeScope();
        using var untracked = no_grad();
        _cache = cache;
        try
        {
            var hidden = Embed(tokens);
            for (var layer = 0; layer < _layers.Count; layer++)
                hidden = RunLayer(layer, hidden);
            cache.Advance(tokens.shape[1]);
            return Head(hidden.narrow(1, -1, 1)).squeeze(1).to(float32).MoveToOuterDisposeScope();
        }
        finally
        {
            _cache = null;
        }
    }
}
