using TorchSharp;
using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// First means of k-means by direction (k-means++, Arthur and Vassilvitskii, 2007): a row at random, then rows drawn with chances in
/// proportion to 2 - 2 cos, the squared distance of directions, from the nearest that is chosen.
/// </summary>
internal static class KMeansSeeds
{
    private const double SameDirection = 1e-6; // rounding of 2 - 2 cos

    /// <summary>Chosen rows (count, H), float32; the caller's. Where fewer have directions of their own, random directions as long as the mean row.</summary>
    /// <param name="rows">(T, H).</param>
    /// <param name="count">How many.</param>
    /// <param name="random">What draws.</param>
    public static Tensor Choose(Tensor rows, int count, Generator random)
    {
        using var scope = NewDisposeScope();
        using Scalar least = 1e-12f;
        var lengths = rows.square().sum(-1, keepdim: true).sqrt();                                 // (T, 1)
        var directions = rows / lengths.clamp(min: least);                                         // (T, H)
        var distances = Enumerable.Repeat(1.0, (int)rows.shape[0]).ToArray();                      // the first: each as likely
        var chosen = new List<Tensor>(count);
        while (chosen.Count < count)
        {
            using var inner = NewDisposeScope();
            var share = rand(1, dtype: float64, generator: random).item<double>();
            if (Draw(distances, share) is not { } row)
            {
                var direction = randn([rows.shape[1]], dtype: float32, generator: random).to(rows.device);
                chosen.Add((direction / direction.square().sum().sqrt() * lengths.mean()).MoveToOuterDisposeScope());
                continue;
            }
            var squared = (2 - 2 * directions.mv(directions[row])).to(float64).cpu().data<double>().ToArray();
            for (var i = 0; i < distances.Length; i++)
                distances[i] = squared[i] < SameDirection ? 0 : chosen.Count == 0 ? squared[i] : Math.Min(distances[i], squared[i]);
            chosen.Add(rows[row].MoveToOuterDisposeScope());
        }
        return stack(chosen).MoveToOuterDisposeScope();
    }

    /// <summary>The place that a share of the sum of all chances falls on; null where there is none.</summary>
    internal static int? Draw(IReadOnlyList<double> chances, double share)
    {
        var (left, last) = (share * chances.Sum(), (int?)null);
        for (var i = 0; i < chances.Count; i++)
        {
            if (chances[i] <= 0)
                continue;
            (left, last) = (left - chances[i], i);
            if (left < 0)
                break;
        }
        return last;
    }
}
