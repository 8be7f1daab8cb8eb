using System.Text.Json;
using Dapper;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;

namespace Espalier.Registry.Comparisons;

/// <summary>
/// Metrics of two versions. Where an evaluation measured both on the same documents, its paired interval of the difference
/// is taken: intervals of single values overlap long after a paired difference is certain.
/// </summary>
internal static class PairedMetrics
{
    private static readonly string[] Paired = ["loss", "bits-per-byte", "accuracy"];

    public static async Task<IReadOnlyList<MetricDifference>> CompareAsync(
        RegistryDatabase database, ArtifactStore artifacts, ModelVersion left, ModelVersion right, CancellationToken cancellationToken)
    {
        var intervals = await IntervalsAsync(database, artifacts, left, right, cancellationToken).ConfigureAwait(false);
        return [.. left.Measures.Keys.Union(right.Measures.Keys).Order(StringComparer.Ordinal).Select(name =>
        {
            var (a, b) = (left.Measures.GetValueOrDefault(name), right.Measures.GetValueOrDefault(name));
            var difference = a is null || b is null ? (double?)null : b.Value - a.Value;
            return intervals.TryGetValue(name, out var paired)
                ? new MetricDifference(name, a?.Value, b?.Value, paired.Value, paired.Low, paired.High)
                : new MetricDifference(name, a?.Value, b?.Value, difference, null, null);
        })];
    }

    private static async Task<Dictionary<string, Measure>> IntervalsAsync(
        RegistryDatabase database, ArtifactStore artifacts, ModelVersion left, ModelVersion right, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var roots = await connection.QueryAsync<string>(
            "select distinct root from registry_report where version_id in (@left, @right)", new { left = left.Id, right = right.Id }).ConfigureAwait(false);
        var found = new Dictionary<string, Measure>();
        foreach (var root in roots.Order(StringComparer.Ordinal))
        {
            if (await ReadAsync(artifacts, Digest.Parse(root), cancellationToken).ConfigureAwait(false) is not { } report)
                continue;
            using (report)
                foreach (var (name, measure) in Find(report.RootElement, left.Root, right.Root))
                    found.TryAdd(name, measure);
        }
        return found;
    }

    /// <summary>A report of an evaluation; null when it is no longer stored.</summary>
    internal static async Task<JsonDocument?> ReadAsync(ArtifactStore artifacts, Digest root, CancellationToken cancellationToken)
    {
        try
        {
            var reader = await CheckpointReader.OpenAsync(artifacts, root, cancellationToken).ConfigureAwait(false);
            return reader.HasFile("report.json") ? JsonDocument.Parse(reader.ReadFile("report.json")) : null;
        }
        catch (Exception e) when (e is MissingBlobException or JsonException)
        {
            return null; // swept or foreign: the values stay, without an interval
        }
    }

    /// <summary>
    /// Differences right minus left of a report: <c>comparisons: [{first, second, loss: {difference: {value, low, high}}}]</c>, first
    /// minus second.
    /// </summary>
    internal static IEnumerable<(string Name, Measure Measure)> Find(JsonElement report, Digest left, Digest right)
    {
        var steps = Items(report, "models")
            .Where(m => m.TryGetProperty("root", out _) && m.TryGetProperty("step", out _))
            .ToLookup(m => m.GetProperty("root").GetString(), m => m.GetProperty("step").GetString());
        foreach (var comparison in Items(report, "comparisons"))
        {
            var (first, second) = (comparison.GetProperty("first").GetString(), comparison.GetProperty("second").GetString());
            var sign = steps[right.Hex].Contains(first) && steps[left.Hex].Contains(second) ? 1
                : steps[left.Hex].Contains(first) && steps[right.Hex].Contains(second) ? -1
                : 0;
            if (sign == 0)
                continue;
            foreach (var name in Paired)
            {
                if (comparison.TryGetProperty(name, out var values)
                    && values.ValueKind == JsonValueKind.Object
                    && values.TryGetProperty("difference", out var difference)
                    && Number(difference, "value") is { } value && Number(difference, "low") is { } low && Number(difference, "high") is { } high)
                    yield return (name, sign > 0 ? new Measure(value, low, high) : new Measure(-value, -high, -low));
            }
        }
    }

    internal static IEnumerable<JsonElement> Items(JsonElement value, string name) =>
        value.TryGetProperty(name, out var items) && items.ValueKind == JsonValueKind.Array ? items.EnumerateArray() : [];

    private static double? Number(JsonElement value, string name) =>
        value.TryGetProperty(name, out var number) && number.ValueKind == JsonValueKind.Number ? number.GetDouble() : null;
}
