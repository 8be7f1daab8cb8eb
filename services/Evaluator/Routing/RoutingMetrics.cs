using Espalier.Surgery;

namespace Espalier.Evaluator.Routing;

/// <summary>
/// Numbers about the load of experts. With loads n_e and shares f_e = n_e / sum n: CV = std(n) / mean(n) (population),
/// entropy H = -sum f ln f, MaxVio = max(n) / mean(n) - 1, co-activation C_ij / sqrt(C_ii C_jj), and specialisation
/// I(E; D) = sum_d p(d) KL(f(.|d) || f) in nats.
/// </summary>
internal static class RoutingMetrics
{
    private const int Shuffles = 20;

    /// <summary>Population standard deviation over mean.</summary>
    public static double CoefficientOfVariation(IReadOnlyList<double> loads)
    {
        var mean = loads.Average();
        return Math.Sqrt(loads.Average(load => (load - mean) * (load - mean))) / mean;
    }

    /// <summary>Entropy of the shares, nats.</summary>
    public static double Entropy(IReadOnlyList<double> loads)
    {
        var sum = loads.Sum();
        return -loads.Where(load => load > 0).Sum(load => load / sum * Math.Log(load / sum));
    }

    /// <summary>How far the busiest expert is above the mean.</summary>
    public static double MaxViolation(IReadOnlyList<double> loads) => loads.Max() / loads.Average() - 1;

    /// <summary>C_ij / sqrt(C_ii C_jj); 0 for experts that no token chose.</summary>
    public static double[][] Normalize(IReadOnlyList<double[]> coActivation) =>
    [
        .. coActivation.Select((row, i) => row.Select((count, j) =>
        {
            var scale = Math.Sqrt(coActivation[i][i] * coActivation[j][j]);
            return scale == 0 ? 0 : count / scale;
        }).ToArray()),
    ];

    /// <summary>I(E; D) for loads by domain, nats.</summary>
    /// <param name="loadsByDomain">For each domain, the loads of the experts.</param>
    public static double Specialisation(IReadOnlyList<double[]> loadsByDomain)
    {
        var total = loadsByDomain.Sum(loads => loads.Sum());
        var overall = Sum(loadsByDomain);
        var information = 0.0;
        foreach (var loads in loadsByDomain)
        {
            var domain = loads.Sum();
            for (var e = 0; e < loads.Length; e++)
            {
                if (loads[e] > 0)
                    information += loads[e] / total * Math.Log(loads[e] / domain / (overall[e] / total));
            }
        }
        return information;
    }

    /// <summary>Mean I(E; D) when the windows' domain labels are shuffled: what chance alone gives, to be subtracted.</summary>
    public static double SpecialisationByChance(IReadOnlyList<long[]> windowLoads, IReadOnlyList<int> domainOfWindow, int domains, long seed, int layer)
    {
        var labels = domainOfWindow.ToArray();
        var sum = 0.0;
        for (var shuffle = 0; shuffle < Shuffles; shuffle++)
        {
            var random = new KeyedRandom(seed, layer, "shuffled-domains", shuffle);
            for (var i = labels.Length - 1; i > 0; i--)
            {
                var j = random.NextIndex(i + 1);
                (labels[i], labels[j]) = (labels[j], labels[i]);
            }
            sum += Specialisation(ByDomain(windowLoads, labels, domains));
        }
        return sum / Shuffles;
    }

    /// <summary>Loads of the experts in each domain.</summary>
    public static double[][] ByDomain(IReadOnlyList<long[]> windowLoads, IReadOnlyList<int> domainOfWindow, int domains)
    {
        var loads = Enumerable.Range(0, domains).Select(_ => new double[windowLoads[0].Length]).ToArray();
        for (var w = 0; w < windowLoads.Count; w++)
        {
            var target = loads[domainOfWindow[w]];
            for (var e = 0; e < target.Length; e++)
                target[e] += windowLoads[w][e];
        }
        return loads;
    }

    /// <summary>Sum over domains.</summary>
    public static double[] Sum(IReadOnlyList<double[]> loadsByDomain) =>
        [.. Enumerable.Range(0, loadsByDomain[0].Length).Select(e => loadsByDomain.Sum(loads => loads[e]))];
}
