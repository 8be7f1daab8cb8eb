using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Cli.SingleStage;

/// <summary>What one stage did; this is what <c>--json</c> prints.</summary>
internal sealed record StageOutcome
{
    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

    /// <summary>Full path of the folder made.</summary>
    public required string Output { get; init; }

    /// <summary>Manifest root of what was written there.</summary>
    public required Digest Root { get; init; }

    /// <summary>Metrics of the result.</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    /// <summary>Last values measured on the way: rates and times.</summary>
    public required IReadOnlyDictionary<string, double> Measured { get; init; }

    /// <summary>What was left out, and what other loaders of the model cannot run, with what avoids it.</summary>
    public required IReadOnlyList<string> Notes { get; init; }

    /// <summary>How the model differs from the input; null when no model went in or none came out.</summary>
    public CheckpointChanges? Changes { get; init; }

    /// <summary>The stage's report, when it writes one.</summary>
    public JsonElement? Report { get; init; }

    /// <summary>Wall time.</summary>
    public required double Seconds { get; init; }
}
