using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Registry.Lineages;

/// <summary>The report that a step wrote beside its model.</summary>
internal static class StepReport
{
    private const string FileName = "report.json";

    /// <summary>The report as JSON; null for a step without one, or one that is no longer stored.</summary>
    public static async Task<JsonElement?> FindAsync(ArtifactStore store, Digest step, CancellationToken cancellationToken)
    {
        var commit = await store.FindStepAsync(step, cancellationToken).ConfigureAwait(false);
        if (commit is null || !commit.Outputs.TryGetValue(OutputNames.Report, out var artifact))
            return null;
        try
        {
            var reader = await CheckpointReader.OpenAsync(store, artifact, cancellationToken).ConfigureAwait(false);
            return reader.HasFile(FileName) ? JsonSerializer.Deserialize<JsonElement>(reader.ReadFile(FileName)) : null;
        }
        catch (Exception e) when (e is MissingBlobException or JsonException)
        {
            return null;
        }
    }

    /// <summary>What a report says that whoever uses the model must know: <c>notes: ["..."]</c>.</summary>
    public static IReadOnlyList<string> NotesOf(JsonElement? report)
    {
        if (report is not { ValueKind: JsonValueKind.Object } found || !found.TryGetProperty("notes", out var notes))
            return [];
        return notes.ValueKind == JsonValueKind.Array
            ? [.. notes.EnumerateArray().Where(n => n.ValueKind == JsonValueKind.String).Select(n => n.GetString()!)]
            : [];
    }
}
