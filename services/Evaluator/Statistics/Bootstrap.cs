using System.Runtime.Intrinsics;
using Espalier.Surgery;

namespace Espalier.Evaluator.Statistics;

/// <summary>
/// Bootstrap over documents (Efron 1979). Tokens of one document are correlated, so documents are drawn, not tokens.
/// Every column is summed under the same draws; ratios and paired differences of the sums follow from that.
/// </summary>
internal static class Bootstrap
{
    /// <summary>
    /// Sums of each column over documents drawn with replacement. Draw r is a pure function of (seed, name, r), so the
    /// result does not depend on the number of threads.
    /// </summary>
    /// <param name="columns">One value per document in each column.</param>
    /// <param name="resamples">Number of draws R.</param>
    /// <param name="seed">Seed of the draws.</param>
    /// <param name="name">What is drawn; different names give independent draws.</param>
    /// <returns>R sums for each column.</returns>
    public static double[][] ResampledSums(IReadOnlyList<double[]> columns, int resamples, long seed, string name)
    {
        var documents = columns[0].Length;
        var sums = columns.Select(_ => new double[resamples]).ToArray();
        Parallel.For(
            0,
            resamples,
            () => new double[documents],
            (r, _, counts) =>
            {
                Array.Clear(counts);
                var random = new KeyedRandom(seed, layer: 0, name, r);
                for (var i = 0; i < documents; i++)
                    counts[random.NextIndex(documents)]++;
                for (var c = 0; c < columns.Count; c++)
                    sums[c][r] = Dot(counts, columns[c]);
                return counts;
            },
            _ => { });
        return sums;
    }

    // Four fixed lanes: the order of the additions, hence the last bit, is the same on every processor.
    private static double Dot(double[] left, double[] right)
    {
        var lanes = Vector256<double>.Zero;
        var i = 0;
        for (; i + 4 <= left.Length; i += 4)
            lanes += Vector256.Create(left, i) * Vector256.Create(right, i);
        var sum = (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]);
        for (; i < left.Length; i++)
            sum += left[i] * right[i];
        return sum;
    }
}
