using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Cli.Reports;

/// <summary>Reads what stages wrote into their report artifacts. A part that is missing is left out, never guessed.</summary>
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
    public static IReadOnlyList<(double Tokens, double Loss)> History(JsonElement report)
    {
        if (!report.TryGetProperty("history", out var history) || history.ValueKind != JsonValueKind.Array)
            return [];
        return [.. from point in history.EnumerateArray()
                   let tokens = Number(point, "tokens")
                   let loss = Number(point, "loss")
                   where tokens is not null && loss is not null
                   select (tokens.Value, loss.Value)];
    }

    /// <summary>Expert load of each model in an evaluation report: <c>models: {NAME: {routing: {load: [[...]]}}}</c>.</summary>
    public static IEnumerable<ExpertLoad> Loads(JsonElement report)
    {
        if (!report.TryGetProperty("models", out var models))
            yield break;
        foreach (var (name, model) in Named(models))
        {
            if (!model.TryGetProperty("routing", out var routing) || !routing.TryGetProperty("load", out var load) || load.ValueKind != JsonValueKind.Array)
                continue;
            var rows = load.EnumerateArray().Select(row => Shares([.. row.EnumerateArray().Select(v => v.GetDouble())])).ToList();
            if (rows.Count > 0 && rows.All(r => r.Count > 0))
                yield return new ExpertLoad(name, rows);
        }
    }

    private static IEnumerable<(string Name, JsonElement Value)> Named(JsonElement models) => models.ValueKind switch
    {
        JsonValueKind.Object => models.EnumerateObject().Select(m => (m.Name, m.Value)),
        JsonValueKind.Array => models.EnumerateArray().Select(m => (m.GetProperty("name").GetString() ?? "", m)),
        _ => [],
    };

    private static IReadOnlyList<double> Shares(List<double> counts)
    {
        var sum = counts.Sum();
        return sum > 0 ? [.. counts.Select(c => c / sum)] : counts;
    }

    private static double? Number(JsonElement value, string name) =>
        value.TryGetProperty(name, out var number) && number.ValueKind == JsonValueKind.Number ? number.GetDouble() : null;
}
