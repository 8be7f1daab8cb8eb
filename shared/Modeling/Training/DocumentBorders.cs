using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Where documents begin in packed sequences: attention that does not look past a border is that of each document by itself (intra-document
/// masking: Llama 3, arXiv 2407.21783; OLMo 2, arXiv 2501.00656). A document ends with its end token. Positions run on through a sequence, as
/// they do there: rotary embeddings see differences of positions only.
/// </summary>
internal static class DocumentBorders
{
    /// <summary>The first token of every document, of T = B S tokens row after row, and T at the end.</summary>
    /// <param name="ids">(B, at least S), int64.</param>
    /// <param name="length">Inputs S of a sequence, with which documents are cut.</param>
    /// <param name="end">Token that ends a document.</param>
    /// <returns>Ascending from 0 to T, at a fixed address; null where no document ends within a sequence.</returns>
    public static long[]? Of(Tensor ids, long length, long end)
    {
        using var rows = ids.contiguous();
        using var host = rows.cpu();
        var (values, columns) = (host.data<long>().ToArray(), ids.shape[1]);
        var starts = new List<long>();
        for (var row = 0L; row < ids.shape[0]; row++)
        {
            for (var at = 0L; at < length; at++)
            {
                if (at == 0 || values[row * columns + at - 1] == end)
                    starts.Add(row * length + at);
            }
        }
        if (starts.Count == ids.shape[0])
            return null;
        starts.Add(ids.shape[0] * length);
        var kept = GC.AllocateUninitializedArray<long>(starts.Count, pinned: true); // kernels take its address
        starts.CopyTo(kept);
        return kept;
    }
}
