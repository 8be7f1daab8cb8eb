using System.Text.Json;
using Dapper;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Registry.Lineages;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Comparisons;

/// <summary>What a model in a standing is to the version.</summary>
public enum StandingRole
{
    /// <summary>The version itself.</summary>
    Own,

    /// <summary>The nearest model that it was made from and that was measured with it.</summary>
    Parent,

    /// <summary>What the evaluation compares with: its baseline.</summary>
    Control,
}

/// <summary>A version's own numbers beside those of what it was made from and of the control, on the same held-out text.</summary>
/// <param name="Rows">The version first.</param>
/// <param name="Documents">Documents of the held-out text; absent when nothing was measured.</param>
public sealed record VersionStanding(IReadOnlyList<StandingRow> Rows, int? Documents);

/// <summary>One model of a standing.</summary>
public sealed record StandingRow
{
    /// <summary>What it is to the version.</summary>
    public required StandingRole Role { get; init; }

    /// <summary>Step that made it; absent when it is not known.</summary>
    public string? Step { get; init; }

    /// <summary>Model that it is a version of, if any.</summary>
    public string? Model { get; init; }

    /// <summary>Which version.</summary>
    public int? Version { get; init; }

    /// <summary>Weights in all.</summary>
    public long? TotalParameters { get; init; }

    /// <summary>Weights that a token uses.</summary>
    public long? ActiveParameters { get; init; }

    /// <summary>Bytes of the checkpoint.</summary>
    public long? Bytes { get; init; }

    /// <summary>Held-out loss, nats per token.</summary>
    public Measure? Loss { get; init; }

    /// <summary>Held-out bits per byte of text.</summary>
    public Measure? BitsPerByte { get; init; }

    /// <summary>Share of right answers.</summary>
    public Measure? Accuracy { get; init; }

    /// <summary>The version's loss less this one's, paired by document; absent for the version itself.</summary>
    public Measure? Difference { get; init; }
}

/// <summary>Reads standings from the evaluation reports that versions were registered with.</summary>
internal sealed class VersionStandings(RegistryDatabase database, ArtifactStore artifacts, ModelRegistry registry, ModelQueries queries)
{
    private const int MostGenerations = 1000;

    /// <summary>The standing of a version.</summary>
    public async Task<VersionStanding> OfAsync(ModelVersion version, CancellationToken cancellationToken)
    {
        var (reports, graph) = await ReadAsync(version).ConfigureAwait(false);
        foreach (var root in reports)
        {
            using var report = await PairedMetrics.ReadAsync(artifacts, Digest.Parse(root), cancellationToken).ConfigureAwait(false);
            if (report is not null && Find(report.RootElement, version, graph) is { } found)
                return found with { Rows = await NamedAsync(found.Rows, report.RootElement, version, cancellationToken).ConfigureAwait(false) };
        }
        return await WithoutReportAsync(version, graph, cancellationToken).ConfigureAwait(false);
    }

    private async Task<(IReadOnlyList<string> Reports, LineageGraph Graph)> ReadAsync(ModelVersion version)
    {
        await using var connection = await database.OpenAsync(CancellationToken.None).ConfigureAwait(false);
        var reports = await connection.QueryAsync<string>(
            "select root from registry_report where version_id = @Id order by root", new { version.Id }).ConfigureAwait(false);
        return (reports.AsList(), await LineageStore.ReadAsync(connection, version).ConfigureAwait(false));
    }

    private static VersionStanding? Find(JsonElement report, ModelVersion version, LineageGraph graph)
    {
        var models = PairedMetrics.Items(report, "models").Where(m => RootOf(m) is not null).ToList();
        if (models.FirstOrDefault(m => RootOf(m) == version.Root) is not { ValueKind: JsonValueKind.Object } own)
            return null;
        var rows = new List<StandingRow> { RowOf(own, StandingRole.Own) };
        var parent = Ancestors(version.Root, graph)
            .Select(root => models.FirstOrDefault(m => RootOf(m) == root)).FirstOrDefault(m => m.ValueKind == JsonValueKind.Object);
        if (parent.ValueKind == JsonValueKind.Object)
            rows.Add(Against(parent, StandingRole.Parent));
        var baseline = report.TryGetProperty("protocol", out var protocol) && Text(protocol, "baseline") is { } named
            ? models.FirstOrDefault(m => Text(m, "step") == named)
            : default;
        if (baseline.ValueKind == JsonValueKind.Object && RootOf(baseline) != version.Root
            && (parent.ValueKind == JsonValueKind.Undefined || RootOf(baseline) != RootOf(parent)))
            rows.Add(Against(baseline, StandingRole.Control));
        return new VersionStanding(rows, protocol.ValueKind == JsonValueKind.Object ? (int?)Number(protocol, "documents") : null);

        StandingRow Against(JsonElement model, StandingRole role) => RowOf(model, role) with
        {
            Difference = PairedMetrics.Find(report, RootOf(model)!.Value, version.Root).Where(d => d.Name == "loss").Select(d => d.Measure).FirstOrDefault(),
        };
    }

    /// <summary>What a version was made from, the nearest first; data and tokenizers are not models.</summary>
    private static IEnumerable<Digest> Ancestors(Digest root, LineageGraph graph)
    {
        var parents = graph.Edges.Where(e => e.Relation is not ("data" or "tokenizer" or "evaluated" or "teacher")).ToLookup(e => e.To, e => e.From);
        var (seen, waiting) = (new HashSet<Digest> { root }, new Queue<Digest>([root]));
        while (waiting.TryDequeue(out var next) && seen.Count < MostGenerations)
        {
            foreach (var parent in parents[next].Where(seen.Add))
            {
                yield return parent;
                waiting.Enqueue(parent);
            }
        }
    }

    private static StandingRow RowOf(JsonElement model, StandingRole role) => new()
    {
        Role = role,
        Step = Text(model, "step"),
        TotalParameters = (long?)Number(model, "total-parameters"),
        ActiveParameters = (long?)Number(model, "active-parameters"),
        Bytes = (long?)Number(model, "bytes"),
        Loss = Section(model, "validation-loss", "loss"),
        BitsPerByte = Section(model, "validation-loss", "bits-per-byte"),
        Accuracy = Choices(model),
    };

    /// <summary>The names under which the models of a standing are registered.</summary>
    private async Task<IReadOnlyList<StandingRow>> NamedAsync(
        IReadOnlyList<StandingRow> rows, JsonElement report, ModelVersion version, CancellationToken cancellationToken)
    {
        var roots = PairedMetrics.Items(report, "models").Where(m => RootOf(m) is not null && Text(m, "step") is not null)
            .GroupBy(m => Text(m, "step")!).ToDictionary(g => g.Key, g => RootOf(g.First())!.Value);
        var names = await queries.NamesOfAsync([.. rows.Select(r => roots[r.Step!])], cancellationToken).ConfigureAwait(false);
        return [.. rows.Select(row =>
        {
            if (row.Role == StandingRole.Own)
                return row with { Model = version.Model, Version = version.Version };
            return names.TryGetValue(roots[row.Step!], out var name) && ModelReference.Parse(name) is { Version: { } number } found
                ? row with { Model = found.Model, Version = number }
                : row;
        })];
    }

    /// <summary>What versions say of themselves, where no report measured them together.</summary>
    private async Task<VersionStanding> WithoutReportAsync(ModelVersion version, LineageGraph graph, CancellationToken cancellationToken)
    {
        var rows = new List<StandingRow> { RowOf(version, StandingRole.Own) };
        var nodes = graph.Nodes.ToDictionary(n => n.Root);
        var parent = Ancestors(version.Root, graph).Select(root => nodes.GetValueOrDefault(root))
            .FirstOrDefault(n => n is { Model: not null, Version: not null });
        if (parent is { Model: { } model, Version: { } number }
            && await registry.FindAsync(model, number, cancellationToken).ConfigureAwait(false) is { } found)
            rows.Add(RowOf(found, StandingRole.Parent));
        return new VersionStanding(rows, null);
    }

    private static StandingRow RowOf(ModelVersion version, StandingRole role) => new()
    {
        Role = role,
        Step = version.Step.Length > 0 ? version.Step : null,
        Model = version.Model,
        Version = version.Version,
        TotalParameters = version.Shape.TotalParameters > 0 ? version.Shape.TotalParameters : null,
        ActiveParameters = version.Shape.ActiveParameters > 0 ? version.Shape.ActiveParameters : null,
        Bytes = version.SizeBytes,
        Loss = version.Measures.GetValueOrDefault("loss"),
        BitsPerByte = version.Measures.GetValueOrDefault("bits-per-byte"),
        Accuracy = version.Measures.GetValueOrDefault("accuracy"),
    };

    private static Measure? Choices(JsonElement model)
    {
        if (!model.TryGetProperty("multiple-choice", out var sets) || sets.ValueKind != JsonValueKind.Object)
            return null;
        var set = sets.TryGetProperty("all", out var all) ? all : sets.EnumerateObject().FirstOrDefault().Value;
        return set.ValueKind == JsonValueKind.Object && Number(set, "accuracy") is { } accuracy ? new Measure(accuracy) : null;
    }

    private static Measure? Section(JsonElement model, string section, string name) =>
        model.TryGetProperty(section, out var values) && values.ValueKind == JsonValueKind.Object && values.TryGetProperty(name, out var interval)
            && interval.ValueKind == JsonValueKind.Object && Number(interval, "value") is { } value
            ? new Measure(value, Number(interval, "low"), Number(interval, "high"))
            : null;

    private static Digest? RootOf(JsonElement model) => Digest.TryParse(Text(model, "root"), out var root) ? root : null;

    private static string? Text(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out var text) && text.ValueKind == JsonValueKind.String ? text.GetString() : null;

    private static double? Number(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Object && value.TryGetProperty(name, out var number) && number.ValueKind == JsonValueKind.Number
            ? number.GetDouble()
            : null;
}
