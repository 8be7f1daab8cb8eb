namespace Espalier.Pruner.Slicing;

/// <summary>Cuts rows or columns out of a matrix held as raw bytes, whatever its element type.</summary>
public static class MatrixSlice
{
    /// <summary>The rows <paramref name="kept"/>, then rows of zeros up to <paramref name="total"/>.</summary>
    /// <param name="matrix">(rows, columns), row after row.</param>
    /// <param name="rowBytes">Bytes of one row.</param>
    /// <param name="kept">Rows that stay, in the order in which they stay.</param>
    /// <param name="total">Rows of the result.</param>
    public static byte[] Rows(ReadOnlySpan<byte> matrix, int rowBytes, IReadOnlyList<int> kept, int total)
    {
        var result = new byte[total * rowBytes];
        for (var i = 0; i < kept.Count; i++)
            matrix.Slice(kept[i] * rowBytes, rowBytes).CopyTo(result.AsSpan(i * rowBytes));
        return result;
    }

    /// <summary>The columns <paramref name="kept"/>, then columns of zeros up to <paramref name="total"/>.</summary>
    /// <param name="matrix">(rows, columns), row after row.</param>
    /// <param name="columns">Columns of the matrix.</param>
    /// <param name="elementBytes">Bytes of one element.</param>
    /// <param name="kept">Columns that stay, in the order in which they stay.</param>
    /// <param name="total">Columns of the result.</param>
    public static byte[] Columns(ReadOnlySpan<byte> matrix, int columns, int elementBytes, IReadOnlyList<int> kept, int total)
    {
        var rows = matrix.Length / (columns * elementBytes);
        var result = new byte[rows * total * elementBytes];
        for (var row = 0; row < rows; row++)
        {
            var from = matrix.Slice(row * columns * elementBytes, columns * elementBytes);
            var to = result.AsSpan(row * total * elementBytes, total * elementBytes);
            for (var i = 0; i < kept.Count; i++)
                from.Slice(kept[i] * elementBytes, elementBytes).CopyTo(to[(i * elementBytes)..]);
        }
        return result;
    }
}
