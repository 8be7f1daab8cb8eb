using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>The records <c>steps/KEY</c>.</summary>
internal static class StepRecords
{
    public const string Prefix = "steps/";

    public static string Of(Digest stepKey) => Prefix + stepKey.Hex;

    /// <summary>What a record says, or why it cannot be read.</summary>
    /// <param name="stepKey">Its key.</param>
    /// <param name="bytes">Its content; null when there is none.</param>
    public static StepFinding Read(Digest stepKey, byte[]? bytes)
    {
        if (bytes is null)
            return new StepFinding(null, null);
        try
        {
            return JsonSerializer.Deserialize<StepCommit>(bytes, WireJson.Options) is { Outputs: { } outputs, Metrics: not null } commit
                && outputs.Values.All(o => o is { Root.IsEmpty: false })
                ? new StepFinding(commit, null)
                : new StepFinding(null, $"record {Of(stepKey)} is damaged: it names no outputs");
        }
        catch (JsonException e)
        {
            return new StepFinding(null, bytes.Length == 0 ? $"record {Of(stepKey)} is empty" : $"record {Of(stepKey)} is damaged: {e.Message}");
        }
    }
}
