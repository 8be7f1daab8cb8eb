using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Pruner.Calibration;

/// <summary>Calibration tokens, cut into batches.</summary>
/// <param name="tokens">(samples, length).</param>
/// <param name="size">Sequences per batch; the last one may have fewer.</param>
internal sealed class CalibrationBatches(long[,] tokens, int size)
{
    /// <summary>Sequences per batch.</summary>
    public int Size { get; } = size;

    /// <summary>Tokens per sequence.</summary>
    public int Length { get; } = tokens.GetLength(1);

    /// <summary>Number of batches.</summary>
    public int Count { get; } = (tokens.GetLength(0) + size - 1) / size;

    /// <summary>Sequences of a batch.</summary>
    public int RowsOf(int batch) => Math.Min(Size, tokens.GetLength(0) - batch * Size);

    /// <summary>Token ids of a batch: (B, S) int64, in the caller's dispose scope.</summary>
    public Tensor Tokens(int batch)
    {
        var ids = new long[RowsOf(batch) * Length];
        Buffer.BlockCopy(tokens, batch * Size * Length * sizeof(long), ids, 0, ids.Length * sizeof(long));
        return tensor(ids).view(RowsOf(batch), Length);
    }
}
