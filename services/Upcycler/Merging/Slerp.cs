using static TorchSharp.torch;

namespace Espalier.Upcycler.Merging;

/// <summary>
/// Spherical interpolation of two models (Shoemake 1985), tensor by tensor: sin((1-t)a)/sin(a) A + sin(ta)/sin(a) B, with a the angle between
/// them and t the share of the second one's weight. Where they point the same way, the straight line.
/// </summary>
internal sealed class Slerp : IMergeMethod
{
    private const double NearlyParallel = 1 - 1e-9;

    public string Name => "slerp";

    public string Summary => "Two models along the sphere instead of the straight line, which keeps their lengths.";

    public bool NeedsBase => false;

    public int? Models => 2;

    public int? Identity(MergeOptions options, IReadOnlyList<double> weights) => Average.Only(weights);

    public Tensor Merge(TensorsToMerge tensors, MergeOptions options)
    {
        var share = tensors.Weights[1] / tensors.Weights.Sum();
        var (product, first, second) = Products(tensors.Models[0].reshape(-1), tensors.Models[1].reshape(-1));
        var cosine = first == 0 || second == 0 ? 1 : product / Math.Sqrt(first * second);
        var (ofFirst, ofSecond) = (1 - share, share);
        if (Math.Abs(cosine) < NearlyParallel)
        {
            var angle = Math.Acos(cosine);
            (ofFirst, ofSecond) = (Math.Sin((1 - share) * angle) / Math.Sin(angle), Math.Sin(share * angle) / Math.Sin(angle));
        }
        return tensors.ByElement((_, models, _) => models[0] * ofFirst + models[1] * ofSecond);
    }

    private static (double Product, double First, double Second) Products(Tensor first, Tensor second)
    {
        using var scope = NewDisposeScope();
        return (Sum(first, second), Sum(first, first), Sum(second, second));

        static double Sum(Tensor a, Tensor b)
        {
            const long Part = 1 << 22;
            var sum = 0.0;
            for (long at = 0; at < a.shape[0]; at += Part)
            {
                using var part = NewDisposeScope();
                var count = Math.Min(Part, a.shape[0] - at);
                sum += a.narrow(0, at, count).to(float64).dot(b.narrow(0, at, count).to(float64)).item<double>();
            }
            return sum;
        }
    }
}
