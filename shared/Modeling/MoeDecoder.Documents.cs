using TorchSharp;
using static TorchSharp.torch;
using static TorchSharp.torch.nn.functional;

namespace Espalier.Modeling;

/// <summary>Attention that stays within documents, where a training step asks for it.</summary>
public sealed partial class MoeDecoder
{
    /// <summary>Where documents begin, see <see cref="Training.DocumentBorders"/>; null where tokens attend to all of their sequence.</summary>
    internal long[]? DocumentStarts => _pass?.DocumentStarts;

    // Each document by itself: scores between documents are never computed, and no mask of a whole sequence exists.
    private Tensor AttendWithin(long[] starts, Tensor query, Tensor key, Tensor value, long window)
    {
        var (batch, heads, length) = (query.shape[0], query.shape[1], query.shape[2]);
        long[] lengths = [.. starts.Zip(starts.Skip(1), (first, next) => next - first)];
        var (queries, keys, values) = (Parts(query), Parts(key), Parts(value));
        var contexts = new List<Tensor>(lengths.Length);
        for (var document = 0; document < lengths.Length; document++)
        {
            var mask = window > 0 && window < lengths[document] ? MaskOf(lengths[document]) : null;
            contexts.Add(scaled_dot_product_attention(queries[document], keys[document], values[document], mask, is_casual: mask is null));
        }
        return cat(contexts, 2).view(heads, batch, length, -1).transpose(0, 1);              // (B, nH, S, dv)

        // (B, nH, S, D) -> documents of (1, nH, n, D)
        Tensor[] Parts(Tensor heads) => heads.transpose(0, 1).flatten(1, 2).unsqueeze(0).split(lengths, 2);

        Tensor MaskOf(long size) => WindowMask(length, window).narrow(0, 0, size).narrow(1, 0, size);
    }
}
