using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Pipelines.Keys;
using Espalier.Pipelines.Resolution;

namespace Espalier.Stages.Worker;

/// <summary>Who did a step, where, when and how fast: everything that must not be in the artifact itself. Record <c>receipts/{stepKey}</c>.</summary>
public sealed record StepReceipt
{
    /// <summary>Run that asked for the work.</summary>
    public required Guid RunId { get; init; }

    /// <summary>Name of the step in that run.</summary>
    public required string Step { get; init; }

    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

    /// <summary>What the work depended on, so that other work can be compared with it; null in receipts of old versions.</summary>
    public StepKey? Key { get; init; }

    /// <summary>Attempt that committed.</summary>
    public required int Attempt { get; init; }

    /// <summary>Worker that did it.</summary>
    public required string Worker { get; init; }

    /// <summary>Machine that the worker ran on.</summary>
    public required string Host { get; init; }

    /// <summary>Start of the attempt that committed.</summary>
    public required DateTimeOffset Started { get; init; }

    /// <summary>Its wall time.</summary>
    public required TimeSpan Duration { get; init; }

    /// <summary>Highest resident memory of the work process during the attempt, in bytes; 0 when unknown.</summary>
    public required long PeakMemoryBytes { get; init; }

    /// <summary>Measured rates and times, by name.</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    /// <summary>Into how many parts the work was split because earlier attempts ran out of memory.</summary>
    public int MemoryDivisor { get; init; } = 1;

    /// <summary>What names of receipts begin with.</summary>
    public const string RecordPrefix = PastStep.RecordPrefix;

    /// <summary>Name of the record.</summary>
    public static string RecordOf(Digest stepKey) => RecordPrefix + stepKey.Hex;

    /// <summary>Reads the receipt of a step key, or null.</summary>
    public static Task<StepReceipt?> FindAsync(ArtifactStore artifacts, Digest stepKey, CancellationToken cancellationToken) =>
        ReadAsync(artifacts, RecordOf(stepKey), cancellationToken);

    /// <summary>Reads a receipt by the name of its record; null when there is none, or when it is damaged: it only explains.</summary>
    public static async Task<StepReceipt?> ReadAsync(ArtifactStore artifacts, string record, CancellationToken cancellationToken)
    {
        var bytes = await artifacts.Blobs.ReadRecordAsync(record, cancellationToken).ConfigureAwait(false);
        try
        {
            return bytes is null ? null : JsonSerializer.Deserialize<StepReceipt>(bytes, WireJson.Options);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Writes the receipt, replacing an older one.</summary>
    public Task WriteAsync(ArtifactStore artifacts, Digest stepKey, CancellationToken cancellationToken) =>
        artifacts.Blobs.WriteRecordAsync(RecordOf(stepKey), CanonicalJson.Serialize(this), cancellationToken);
}
