using System.Text.Json;

namespace Espalier.Registry.Comparisons;

/// <summary>Two versions beside each other.</summary>
public sealed record VersionComparison
{
    /// <summary>Values of <c>config.json</c> that differ.</summary>
    public required IReadOnlyList<ConfigDifference> Config { get; init; }

    /// <summary>Metrics that either has.</summary>
    public required IReadOnlyList<MetricDifference> Metrics { get; init; }

    /// <summary>Weights, layer by layer; the last entry, layer -1, is everything outside the layers.</summary>
    public required IReadOnlyList<LayerDifference> Weights { get; init; }

    /// <summary>Bytes that both, or only one of them, have.</summary>
    public required ByteOverlap Bytes { get; init; }
}

/// <summary>One value of the configuration; a side that lacks it is absent.</summary>
public sealed record ConfigDifference(string Path, JsonElement? Left, JsonElement? Right);

/// <summary>One metric. The interval is that of the paired difference, where one report measured both.</summary>
/// <param name="Name">Name.</param>
/// <param name="Left">Value on the left.</param>
/// <param name="Right">Value on the right.</param>
/// <param name="Difference">Right minus left.</param>
/// <param name="Low">Lower end of the 95 % interval of the difference.</param>
/// <param name="High">Upper end.</param>
public sealed record MetricDifference(string Name, Measure? Left, Measure? Right, double? Difference, double? Low, double? High);

/// <summary>How far a layer's weights moved.</summary>
public sealed record LayerDifference
{
    /// <summary>Layer, or -1 for embedding, head and final norm.</summary>
    public required int Layer { get; init; }

    /// <summary>|right - left| / |left| over the tensors that both have in one shape, Frobenius norms; 0 when every byte is the same; absent when nothing can be compared.</summary>
    public double? RelativeChange { get; init; }

    /// <summary>The same for each expert on the right, against the expert it came from.</summary>
    public required IReadOnlyList<ExpertDifference> Experts { get; init; }

    /// <summary>The router.</summary>
    public RouterDifference? Router { get; init; }
}

/// <summary>One expert on the right.</summary>
/// <param name="Expert">Its number.</param>
/// <param name="From">Number of the expert on the left that it is compared with; absent when it has none there.</param>
/// <param name="RelativeChange">|right - left| / |left|; absent when shapes differ.</param>
public sealed record ExpertDifference(int Expert, int? From, double? RelativeChange);

/// <summary>The rows of a router, each against the row of the expert it came from.</summary>
/// <param name="RelativeChange">|right - left| / |left| over all rows.</param>
/// <param name="MeanCosine">Mean cosine between the rows.</param>
/// <param name="LeastCosine">Smallest cosine.</param>
public sealed record RouterDifference(double RelativeChange, double MeanCosine, double LeastCosine);

/// <summary>Bytes of blobs, each blob once.</summary>
public sealed record ByteOverlap(long Shared, long LeftOnly, long RightOnly);
