using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Cli.Reports;

/// <summary>Reads what stages wrote into their report artifacts. A missing part is left out, never guessed.</summary>
internal static class ReportReader
{
    public static async Task<JsonDocument?> OpenAsync(ArtifactStore store, StepSummary step, CancellationToken cancellationToken)
    {
        if (!step.Outputs.TryGetValue(OutputNames.Report, out var artifact))
            return null;
        var reader = await CheckpointReader.OpenAsync(store, artifact, cancellationToken).ConfigureAwait(false);
        return reader.HasFile("report.json") ? JsonDocument.Parse(reader.ReadFile("report.json")) : null;
    }

    /// <summary>Points of a training report: <c>history: [{tokens, loss}]</c>.</summary>
    public static IReadOnlyList<(double Tokens, double Loss)> History(JsonElement report) =>
        [.. from point in Items(report, "history")
            let tokens = Number(point, "tokens")
            let loss = Number(point, "loss")
            where tokens is not null && loss is not null
            select (tokens.Value, loss.Value)];

    /// <summary>Expert load of each model in an evaluation report: <c>models: [{step, routing: {load: [[...]]}}]</c>.</summary>
    public static IEnumerable<ExpertLoad> Loads(JsonElement report)
    {
        foreach (var model in Items(report, "models"))
        {
            if (!model.TryGetProperty("routing", out var routing) || routing.ValueKind != JsonValueKind.Object)
                continue;
            var rows = Items(routing, "load").Select(row => Shares([.. row.EnumerateArray().Select(v => v.GetDouble())])).ToList();
            if (rows.Exists(r => r.Count > 0)) // a dense layer has none
                yield return new ExpertLoad(model.GetProperty("step").GetString()!, rows);
        }
    }

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

    private static IEnumerable<JsonElement> Items(JsonElement value, string name) =>
        value.TryGetProperty(name, out var items) && items.ValueKind == JsonValueKind.Array ? items.EnumerateArray() : [];

    private static IReadOnlyList<double> Shares(List<double> counts)
    {
        var sum = counts.Sum();
        return sum > 0 ? [.. counts.Select(c => c / sum)] : counts;
    }

    private static double? Number(JsonElement value, string name) =>
        value.TryGetProperty(name, out var number) && number.ValueKind == JsonValueKind.Number ? number.GetDouble() : null;
}

/// <summary>Held-out loss of one model minus another's on the same documents, nats per token, with its 95 % interval.</summary>
internal sealed record LossDifference(string First, string Second, double Value, double Low, double High);
