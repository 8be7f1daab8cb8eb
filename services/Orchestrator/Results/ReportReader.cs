using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Orchestrator.Results;

/// <summary>Reads what stages wrote into their report artifacts. A missing part is left out, never guessed.</summary>
public static class ReportReader
{
    /// <summary>The report of a step, or null when it made none.</summary>
    public static async Task<JsonDocument?> OpenAsync(ArtifactStore store, StepSummary step, CancellationToken cancellationToken)
    {
        if (!step.Outputs.TryGetValue(OutputNames.Report, out var artifact))
            return null;
        try
        {
            var reader = await CheckpointReader.OpenAsync(store, artifact, cancellationToken).ConfigureAwait(false);
            return reader.HasFile("report.json") ? JsonDocument.Parse(reader.ReadFile("report.json")) : null;
        }
        catch (Exception e) when (e is MissingBlobException or JsonException)
        {
            return null; // swept or foreign
        }
    }

    /// <summary>Points of a training report: <c>history: [{tokens, loss}]</c>.</summary>
    public static IReadOnlyList<(double Tokens, double Loss)> History(JsonElement report) =>
        [.. from point in Items(report, "history")
            let tokens = Number(point, "tokens")
            let loss = Number(point, "loss")
            where tokens is not null && loss is not null
            select (tokens.Value, loss.Value)];

    /// <summary>Paired differences of held-out loss: <c>comparisons: [{first, second, loss: {difference: {value, low, high}}}]</c>.</summary>
    public static IEnumerable<LossDifference> Differences(JsonElement report)
    {
        foreach (var comparison in Items(report, "comparisons"))
        {
            if (!comparison.TryGetProperty("loss", out var loss) || !loss.TryGetProperty("difference", out var difference))
                continue;
            var (value, low, high) = (Number(difference, "value"), Number(difference, "low"), Number(difference, "high"));
            if (value is null || low is null || high is null)
                continue;
            var (first, second) = (comparison.GetProperty("first").GetString()!, comparison.GetProperty("second").GetString()!);
            yield return new LossDifference(first, second, value.Value, low.Value, high.Value);
            yield return new LossDifference(second, first, -value.Value, -high.Value, -low.Value);
        }
    }

    /// <summary>The items of a list; none where there is no list.</summary>
    public static IEnumerable<JsonElement> Items(JsonElement value, string name) =>
        value.TryGetProperty(name, out var items) && items.ValueKind == JsonValueKind.Array ? items.EnumerateArray() : [];

    private static double? Number(JsonElement value, string name) =>
        value.TryGetProperty(name, out var number) && number.ValueKind == JsonValueKind.Number ? number.GetDouble() : null;
}

/// <summary>Held-out loss of one model minus another's on the same documents, nats per token, with its 95 % interval.</summary>
/// <param name="First">Step that made the one.</param>
/// <param name="Second">Step that made the other.</param>
/// <param name="Value">The difference.</param>
/// <param name="Low">Lower end of the interval.</param>
/// <param name="High">Upper end of the interval.</param>
public sealed record LossDifference(string First, string Second, double Value, double Low, double High);
