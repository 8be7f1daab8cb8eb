using Espalier.Contracts;
using Espalier.Registry.Lineages;

namespace Espalier.Registry;

/// <summary>What a registration says.</summary>
public sealed record NewVersion
{
    /// <summary>Model name.</summary>
    public required string Model { get; init; }

    /// <summary>The checkpoint.</summary>
    public required ManifestRef Checkpoint { get; init; }

    /// <summary>The step that registers, so that a repeat is recognised.</summary>
    public required Digest StepKey { get; init; }

    /// <summary>The run; empty for an import.</summary>
    public Guid RunId { get; init; }

    /// <summary>Step that made the checkpoint.</summary>
    public string Step { get; init; } = "";

    /// <summary>Stage kind that made the checkpoint.</summary>
    public string Stage { get; init; } = "";

    /// <summary>Where an import came from.</summary>
    public string Origin { get; init; } = "";

    /// <summary>What it is, in Markdown.</summary>
    public string Card { get; init; } = "";

    /// <summary>Free text.</summary>
    public string Description { get; init; } = "";

    /// <summary>Bytes that its ancestry does not have; null counts all.</summary>
    public long? NewBytes { get; init; }

    /// <summary>Facts of the configuration.</summary>
    public ModelShape Shape { get; init; } = new();

    /// <summary>Its ancestry.</summary>
    public IReadOnlyList<LineageNode> Lineage { get; init; } = [];

    /// <summary>Evaluation reports that speak of it.</summary>
    public IReadOnlyList<Digest> Reports { get; init; } = [];

    /// <summary>Tags.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();

    /// <summary>Metrics by name; <c>NAME-low</c> and <c>NAME-high</c> are the interval of <c>NAME</c>.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();
}
