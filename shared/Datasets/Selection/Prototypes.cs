using Espalier.Datasets.Sampling;

namespace Espalier.Datasets.Selection;

/// <summary>
/// Spherical k-means: prototypes are means of unit vectors, made unit vectors again; a vector belongs to the one of the largest cosine. The
/// first are drawn far from each other (k-means++, Arthur and Vassilvitskii 2007, with 1 - cosine as distance). The same vectors and seed
/// give the same bits on every machine.
/// </summary>
internal sealed class Prototypes
{
    private const int MostRounds = 30;

    private readonly float[][] _centres;

    private Prototypes(float[][] centres) => _centres = centres;

    /// <summary>How many there are.</summary>
    public int Count => _centres.Length;

    /// <summary>Finds prototypes of vectors (n, D) of length 1.</summary>
    /// <param name="vectors">At least one.</param>
    /// <param name="count">At most so many; fewer where vectors are few or the same.</param>
    /// <param name="seed">Chooses the first ones.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public static Prototypes Find(IReadOnlyList<float[]> vectors, int count, long seed, CancellationToken cancellationToken)
    {
        var found = new Prototypes(First(vectors, Math.Min(count, vectors.Count), seed));
        var belongs = new int[vectors.Count];
        Array.Fill(belongs, -1);
        for (var round = 0; round < MostRounds; round++)
        {
            var nearest = new (int Cluster, float Distance)[vectors.Count];
            Parallel.For(0, vectors.Count, new ParallelOptions { CancellationToken = cancellationToken }, i => nearest[i] = found.Nearest(vectors[i]));
            if (nearest.Select(n => n.Cluster).SequenceEqual(belongs))
                break;
            belongs = [.. nearest.Select(n => n.Cluster)];
            found.Move(vectors, belongs);
        }
        return found;
    }

    /// <summary>The prototype that a vector belongs to, the first of equal ones, and its distance 1 - cosine from it.</summary>
    public (int Cluster, float Distance) Nearest(ReadOnlySpan<float> vector)
    {
        var (best, cosine) = (0, float.NegativeInfinity);
        for (var i = 0; i < _centres.Length; i++)
        {
            var product = TextFeatures.Dot(vector, _centres[i]);
            if (product > cosine)
                (best, cosine) = (i, product);
        }
        return (best, 1 - cosine);
    }

    private static float[][] First(IReadOnlyList<float[]> vectors, int count, long seed)
    {
        var chosen = new List<float[]> { vectors[(int)StatelessRandom.Below(StatelessRandom.Key(seed, "prototype"), vectors.Count)] };
        var distances = new double[vectors.Count];
        Array.Fill(distances, double.PositiveInfinity);
        while (chosen.Count < count)
        {
            var total = 0.0;
            for (var i = 0; i < distances.Length; i++)
                total += distances[i] = Math.Min(distances[i], Math.Max(0, 1 - TextFeatures.Dot(vectors[i], chosen[^1])));
            if (total < 1e-6)
                break; // all vectors are chosen already
            var left = total * (StatelessRandom.Below(StatelessRandom.Key(seed, "prototype", chosen.Count), 1L << 53) / (double)(1L << 53));
            var next = 0;
            for (; next < distances.Length - 1 && (left -= distances[next]) >= 0; next++)
            {
            }
            chosen.Add(vectors[next]);
        }
        return [.. chosen.Select(vector => vector.ToArray())];
    }

    // A prototype that nothing belongs to stays where it is.
    private void Move(IReadOnlyList<float[]> vectors, int[] belongs)
    {
        var sums = _centres.Select(centre => new double[centre.Length]).ToArray();
        for (var i = 0; i < vectors.Count; i++)
        {
            var sum = sums[belongs[i]];
            for (var d = 0; d < sum.Length; d++)
                sum[d] += vectors[i][d];
        }
        for (var cluster = 0; cluster < sums.Length; cluster++)
        {
            var length = Math.Sqrt(sums[cluster].Sum(value => value * value));
            if (length > 0)
                _centres[cluster] = [.. sums[cluster].Select(value => (float)(value / length))];
        }
    }
}
