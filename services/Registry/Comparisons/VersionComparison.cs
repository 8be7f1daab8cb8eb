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
public sealed record MetricDifference(string Name, double? Left, double? Right, double? Difference, double? Low, double? High);

/// <summary>How far a layer's weights moved.</summary>
public sealed record LayerDifference
{
    /// <summary>Layer, or -1 for embedding, head and final norm.</summary>
    public required int Layer { get; init; }

    /// <summary>
    /// |right - left| / |left| over the tensors that both have in one shape, Frobenius norms; 0 when every byte is the same; absent when
    /// nothing can be compared.
    /// </summary>
    public double? RelativeChange { get; init; }

    /// <summary>The same for each expert on the right, against the expert that it came from; null where there is none or shapes differ.</summary>
    public required IReadOnlyList<double?> Experts { get; init; }

    /// <summary>For each expert on the right, the expert on the left that it is compared with; null where there is none.</summary>
    public required IReadOnlyList<int?> Origins { get; init; }

    /// <summary>The same for the router's rows, each against the row of the expert that it came from.</summary>
    public double? Router { get; init; }

    /// <summary>How far those rows turned.</summary>
    public RowCosines? RouterCosines { get; init; }
}

/// <summary>Cosines between rows of two routers.</summary>
public sealed record RowCosines(double Mean, double Least);

/// <summary>Bytes of blobs, each blob once.</summary>
public sealed record ByteOverlap(long Shared, long LeftOnly, long RightOnly);
