using Espalier.Contracts;

namespace Espalier.Registry;

/// <summary>One immutable version of a named model.</summary>
public sealed record ModelVersion
{
    /// <summary>Model name.</summary>
    public required string Model { get; init; }

    /// <summary>Version, from 1.</summary>
    public required int Version { get; init; }

    /// <summary>Checkpoint manifest.</summary>
    public required Digest Root { get; init; }

    /// <summary>Logical size in bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>The step that registered it; equal keys register once.</summary>
    public required Digest StepKey { get; init; }

    /// <summary>The run it came from; empty for an import.</summary>
    public Guid RunId { get; init; }

    /// <summary>What it is, in Markdown.</summary>
    public string Card { get; init; } = "";

    /// <summary>When it was registered.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Aliases that point here.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Metrics by name.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();
}

/// <summary>An alias pointed to another version.</summary>
public sealed record AliasMove(string Alias, int Version, int? Previous, string Actor, string Reason, DateTimeOffset MovedAt);
