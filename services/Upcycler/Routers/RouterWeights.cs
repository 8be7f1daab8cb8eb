using Espalier.Contracts;

namespace Espalier.Upcycler.Routers;

/// <summary>Changes one row, given its source row's index and how many earlier new rows have the same source.</summary>
internal delegate void RowChange(Span<float> row, int source, int occurrence);

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

    /// <summary>One expert's row.</summary>
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

    /// <summary>Changes the rows from <paramref name="first"/> on in place.</summary>
    /// <param name="first">The first new row.</param>
    /// <param name="order">Source of each new row.</param>
    /// <param name="change">Gets the row, its source, and how many earlier new rows have the same source.</param>
    internal RouterWeights Change(int first, IReadOnlyList<int> order, RowChange change)
    {
        var seen = new Dictionary<int, int>();
        for (var slot = 0; slot < order.Count; slot++)
        {
            var occurrence = seen.GetValueOrDefault(order[slot]);
            seen[order[slot]] = occurrence + 1;
            change(Rows.AsSpan((first + slot) * Width, Width), order[slot], occurrence);
        }
        return this;
    }

    /// <summary>Adds normal noise to the rows from <paramref name="first"/> on, in place.</summary>
    internal RouterWeights WithNoise(int first, double size, Espalier.Surgery.KeyedRandom random)
    {
        for (var i = first * Width; i < Rows.Length; i++)
            Rows[i] = (float)(Rows[i] + size * random.NextNormal());
        return this;
    }

    /// <summary>Standard deviation of some of the router's weights.</summary>
    /// <exception cref="UserInputException">They are all equal, so noise relative to it would be nothing.</exception>
    internal double RequireSpread(IReadOnlyList<float> values)
    {
        var mean = values.Average(v => (double)v);
        var spread = Math.Sqrt(values.Average(v => (v - mean) * (v - mean)));
        return spread > 0
            ? spread
            : throw new UserInputException(
                $"router.method: all router weights of layer {Layer} are equal, so noise relative to their spread is 0. Use bias-only.");
    }

    private static float[]? Extended(float[]? values, IReadOnlyList<int> order) =>
        values is null ? null : [.. values, .. order.Select(source => values[source])];
}
