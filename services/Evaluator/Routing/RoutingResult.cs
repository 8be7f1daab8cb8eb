namespace Espalier.Evaluator.Routing;

/// <summary>Routing of one model over the held-out text.</summary>
public sealed record RoutingResult
{
    /// <summary>MoE layer by MoE layer.</summary>
    public required IReadOnlyList<LayerRoutingResult> Layers { get; init; }

    /// <summary>Mean of the layers' coefficient of variation.</summary>
    public required double LoadCv { get; init; }

    /// <summary>Mean of the layers' entropy over ln E.</summary>
    public required double NormalizedEntropy { get; init; }

    /// <summary>Largest violation of any layer.</summary>
    public required double MaxViolation { get; init; }

    /// <summary>Experts that no token chose, all layers.</summary>
    public required int DeadExperts { get; init; }

    /// <summary>Mean of the layers' similarity of router rows.</summary>
    public required double RouterSimilarity { get; init; }

    /// <summary>Mean of the layers' alignment of router rows with tokens.</summary>
    public required double RouterAlignment { get; init; }

    /// <summary>Mean of the layers' corrected specialisation, nats; null with a single domain.</summary>
    public double? Specialisation { get; init; }

    /// <summary>Expert load, [layer][expert], in tokens; a dense layer's row is empty.</summary>
    public required IReadOnlyList<IReadOnlyList<double>> Load { get; init; }

    /// <summary>The same for each domain.</summary>
    public required IReadOnlyDictionary<string, IReadOnlyList<IReadOnlyList<double>>> LoadByDomain { get; init; }

    /// <summary>Computes every number from the counts.</summary>
    /// <param name="layers">Counts of each layer.</param>
    /// <param name="domainOfWindow">Domain of each window, in the order of the counts.</param>
    /// <param name="domains">Names of the domains.</param>
    /// <param name="seed">Seed of the shuffled labels.</param>
    internal static RoutingResult Of(IReadOnlyList<LayerRouting> layers, IReadOnlyList<int> domainOfWindow, IReadOnlyList<string> domains, long seed)
    {
        var byDomain = layers.Select(layer => RoutingMetrics.ByDomain(layer.WindowLoads, domainOfWindow, domains.Count)).ToList();
        var results = layers.Select((layer, l) => LayerRoutingResult.Of(layer, byDomain[l], domainOfWindow, seed)).ToList();
        return new RoutingResult
        {
            Layers = results,
            LoadCv = results.Average(r => r.LoadCv),
            NormalizedEntropy = results.Average(r => r.NormalizedEntropy),
            MaxViolation = results.Max(r => r.MaxViolation),
            DeadExperts = results.Sum(r => r.DeadExperts),
            RouterSimilarity = results.Average(r => r.RouterSimilarity),
            RouterAlignment = results.Average(r => r.RouterAlignment),
            Specialisation = results[0].Specialisation is null ? null : results.Average(r => r.Specialisation!.Value),
            Load = ByLayer(layers, byDomain, RoutingMetrics.Sum),
            LoadByDomain = domains.Select((name, d) => (name, d)).ToDictionary(
                domain => domain.name,
                domain => ByLayer(layers, byDomain, layer => layer[domain.d])),
        };
    }

    private static IReadOnlyList<IReadOnlyList<double>> ByLayer(
        IReadOnlyList<LayerRouting> layers, List<double[][]> byDomain, Func<double[][], double[]> choose)
    {
        var rows = layers.Zip(byDomain, (layer, loads) => (layer.Layer, Row: choose(loads))).ToDictionary(pair => pair.Layer, pair => pair.Row);
        return [.. Enumerable.Range(0, layers[^1].Layer + 1).Select(layer => rows.GetValueOrDefault(layer) ?? [])];
    }
}

/// <summary>Routing of one layer.</summary>
public sealed record LayerRoutingResult
{
    /// <summary>Layer index.</summary>
    public required int Layer { get; init; }

    /// <summary>Standard deviation of the load over its mean.</summary>
    public required double LoadCv { get; init; }

    /// <summary>Entropy of the load over ln E; 1 is perfectly even.</summary>
    public required double NormalizedEntropy { get; init; }

    /// <summary>Load of the busiest expert over the mean, less 1.</summary>
    public required double MaxViolation { get; init; }

    /// <summary>Experts that no token chose.</summary>
    public required int DeadExperts { get; init; }

    /// <summary>Mean entropy of the router's distribution per token, nats.</summary>
    public required double TokenEntropy { get; init; }

    /// <summary>Mean difference of the two largest probabilities of a token.</summary>
    public required double TopMargin { get; init; }

    /// <summary>Mean squared logsumexp of the router's logits.</summary>
    public required double ZLoss { get; init; }

    /// <summary>Mean cosine of two rows of the router.</summary>
    public required double RouterSimilarity { get; init; }

    /// <summary>Mean cosine of an expert's row of the router and the mean of its tokens in the first windows.</summary>
    public required double RouterAlignment { get; init; }

    /// <summary>I(E; D) in nats, as measured; null with a single domain.</summary>
    public double? RawSpecialisation { get; init; }

    /// <summary>The same less what shuffled domain labels give.</summary>
    public double? Specialisation { get; init; }

    /// <summary>C_ij / sqrt(C_ii C_jj), (E, E).</summary>
    public required IReadOnlyList<IReadOnlyList<double>> CoActivation { get; init; }

    internal static LayerRoutingResult Of(LayerRouting layer, double[][] loadsByDomain, IReadOnlyList<int> domainOfWindow, long seed)
    {
        var loads = RoutingMetrics.Sum(loadsByDomain);
        var present = loadsByDomain.Count(domain => domain.Sum() > 0);
        double? raw = present > 1 ? RoutingMetrics.Specialisation(loadsByDomain) : null;
        return new LayerRoutingResult
        {
            Layer = layer.Layer,
            LoadCv = RoutingMetrics.CoefficientOfVariation(loads),
            NormalizedEntropy = loads.Length > 1 ? RoutingMetrics.Entropy(loads) / Math.Log(loads.Length) : 1,
            MaxViolation = RoutingMetrics.MaxViolation(loads),
            DeadExperts = loads.Count(load => load == 0),
            TokenEntropy = layer.TokenEntropy,
            TopMargin = layer.Margin,
            ZLoss = layer.ZLoss,
            RouterSimilarity = layer.Similarity,
            RouterAlignment = layer.Alignment,
            RawSpecialisation = raw,
            Specialisation = raw - (raw is null ? null
                : RoutingMetrics.SpecialisationByChance(layer.WindowLoads, domainOfWindow, loadsByDomain.Length, seed, layer.Layer)),
            CoActivation = RoutingMetrics.Normalize(layer.CoActivation),
        };
    }
}
