using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>The records <c>steps/KEY</c>, and what becomes of one that cannot be read.</summary>
internal static class StepRecords
{
    public const string Prefix = "steps/";
    private const string Damaged = "damaged/steps-";

    public static string Of(Digest stepKey) => Prefix + stepKey.Hex;

    /// <summary>Where a damaged one is kept.</summary>
    public static string AsideOf(Digest stepKey) => Damaged + stepKey.Hex;

    /// <summary>A record's content; null when there is none, or when it is empty, cut off or otherwise unreadable.</summary>
    public static StepCommit? Read(byte[]? bytes)
    {
        try
        {
            return bytes is not null && JsonSerializer.Deserialize<StepCommit>(bytes, WireJson.Options) is { Outputs: not null, Metrics: not null } commit
                && commit.Outputs.Values.All(o => o is { Root.IsEmpty: false })
                ? commit
                : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Keeps an unreadable record under another name and frees its own; false when there is none, or it can be read.</summary>
    public static async Task<bool> SetStepAsideAsync(this ArtifactStore artifacts, Digest stepKey, CancellationToken cancellationToken)
    {
        if (await artifacts.Blobs.ReadRecordAsync(Of(stepKey), cancellationToken).ConfigureAwait(false) is not { } bytes || Read(bytes) is not null)
            return false;
        await artifacts.Blobs.WriteRecordAsync(AsideOf(stepKey), bytes, cancellationToken).ConfigureAwait(false);
        await artifacts.Blobs.DeleteRecordAsync(Of(stepKey), cancellationToken).ConfigureAwait(false);
        return true;
    }
}
