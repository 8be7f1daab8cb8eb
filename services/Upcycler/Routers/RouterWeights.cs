namespace Espalier.Upcycler.Routers;

/// <summary>Router of one layer, held as floats: exact for every stored element type.</summary>
/// <param name="Layer">Layer index.</param>
/// <param name="Width">Inputs per row, H.</param>
/// <param name="Rows">(E, H), row after row.</param>
/// <param name="Bias">(E) logit bias, or null.</param>
/// <param name="SelectionBias">(E) selection bias, or null.</param>
public sealed record RouterWeights(int Layer, int Width, float[] Rows, float[]? Bias, float[]? SelectionBias)
{
    /// <summary>Number of rows.</summary>
    public int Experts => Rows.Length / Width;

    /// <summary>One row.</summary>
    public ReadOnlySpan<float> Row(int expert) => Rows.AsSpan(expert * Width, Width);

    /// <summary>The router with the rows and biases of <paramref name="order"/> below its own.</summary>
    public RouterWeights Append(IReadOnlyList<int> order)
    {
        var rows = new float[Rows.Length + order.Count * Width];
        Rows.CopyTo(rows, 0);
        for (var slot = 0; slot < order.Count; slot++)
            Row(order[slot]).CopyTo(rows.AsSpan(Rows.Length + slot * Width, Width));
        return this with { Rows = rows, Bias = Extended(Bias, order), SelectionBias = Extended(SelectionBias, order) };
    }

    private static float[]? Extended(float[]? values, IReadOnlyList<int> order) =>
        values is null ? null : [.. values, .. order.Select(source => values[source])];
}
