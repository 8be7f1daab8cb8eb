using System.Data.Common;
using Dapper;
using Espalier.Contracts;

namespace Espalier.Registry.Queries;

/// <summary>Reads versions with everything that belongs to them: a few statements for a page, however long it is.</summary>
internal static class VersionReader
{
    private const int AtOnce = 500;
    private const string Columns =
        "v.id as Id, v.name as Model, v.version as Version, v.root as Root, v.size_bytes as SizeBytes, v.new_bytes as NewBytes, "
        + "v.step_key as StepKey, v.run_id as RunId, v.step as Step, v.origin as Origin, v.description as Description, v.created_at as CreatedAt, "
        + "v.family as Family, v.total_parameters as TotalParameters, v.active_parameters as ActiveParameters, v.layers as Layers, "
        + "v.experts as Experts, v.experts_per_token as ExpertsPerToken, v.signatures as Signatures";

    /// <summary>One version, with its card.</summary>
    public static async Task<ModelVersion?> FindAsync(DbConnection connection, string model, int version, DbTransaction? transaction = null)
    {
        var rows = await ReadAsync(
            connection, "where v.name = @model and v.version = @version", new { model, version }, transaction).ConfigureAwait(false);
        if (rows.SingleOrDefault() is not { } found)
            return null;
        var card = await connection.QuerySingleOrDefaultAsync<string>(
            "select card from registry_card where version_id = @Id", new { found.Id }, transaction).ConfigureAwait(false);
        return found with { Card = card ?? "" };
    }

    /// <summary>The versions that the rest of a statement after <c>from registry_version v</c> picks, in its order, without cards.</summary>
    public static async Task<IReadOnlyList<ModelVersion>> ReadAsync(
        DbConnection connection, string rest, object parameters, DbTransaction? transaction = null)
    {
        var found = await connection.QueryAsync<Row>(
            $"select {Columns} from registry_version v {rest}", parameters, transaction).ConfigureAwait(false);
        var rows = found.AsList();
        var versions = new List<ModelVersion>(rows.Count);
        foreach (var part in rows.Chunk(AtOnce))
            versions.AddRange(await CompleteAsync(connection, part, transaction).ConfigureAwait(false));
        return versions;
    }

    /// <summary>The versions with these ids, in the order of the ids, without cards.</summary>
    public static async Task<IReadOnlyList<ModelVersion>> ReadAsync(DbConnection connection, IReadOnlyList<long> ids)
    {
        if (ids.Count == 0)
            return [];
        var versions = await ReadAsync(
            connection, $"where {InCondition.Sql(connection, "v.id", "ids")}", InCondition.Parameter(connection, "ids", ids)).ConfigureAwait(false);
        var found = versions.ToDictionary(v => v.Id);
        return [.. ids.Where(found.ContainsKey).Select(id => found[id])];
    }

    private static async Task<IEnumerable<ModelVersion>> CompleteAsync(DbConnection connection, Row[] rows, DbTransaction? transaction)
    {
        var ids = InCondition.Parameter(connection, "ids", rows.Select(r => r.Id).ToList());
        var isOne = InCondition.Sql(connection, "version_id", "ids");
        var measures = (await connection.QueryAsync<(long Id, string Metric, double Value, double? Low, double? High)>(
            $"select version_id, metric, value, low, high from registry_fact where {isOne}", ids, transaction).ConfigureAwait(false)).ToLookup(m => m.Id);
        var aliases = (await connection.QueryAsync<(long Id, string Alias)>(
            $"select version_id, alias from registry_alias where {isOne}", ids, transaction).ConfigureAwait(false)).ToLookup(a => a.Id);
        var tags = (await connection.QueryAsync<(long Id, string Tag, string Value)>(
            $"select version_id, tag, value from registry_tag where {isOne}", ids, transaction).ConfigureAwait(false)).ToLookup(t => t.Id);
        return rows.Select(row => row.ToVersion(
            measures[row.Id].OrderBy(m => m.Metric, StringComparer.Ordinal).ToDictionary(m => m.Metric, m => new Measure(m.Value, m.Low, m.High)),
            [.. aliases[row.Id].Select(a => a.Alias).Order(StringComparer.Ordinal)],
            tags[row.Id].OrderBy(t => t.Tag, StringComparer.Ordinal).ToDictionary(t => t.Tag, t => t.Value)));
    }

    // What the database returns: SQLite has 64-bit integers only, PostgreSQL 32-bit ones for 'integer'.
    private sealed class Row
    {
        public long Id { get; set; }
        public string Model { get; set; } = "";
        public long Version { get; set; }
        public string Root { get; set; } = "";
        public long SizeBytes { get; set; }
        public long NewBytes { get; set; }
        public string StepKey { get; set; } = "";
        public string RunId { get; set; } = "";
        public string Step { get; set; } = "";
        public string Origin { get; set; } = "";
        public string Description { get; set; } = "";
        public string CreatedAt { get; set; } = "";
        public string Family { get; set; } = "";
        public long TotalParameters { get; set; }
        public long ActiveParameters { get; set; }
        public long Layers { get; set; }
        public long Experts { get; set; }
        public long ExpertsPerToken { get; set; }
        public long Signatures { get; set; }

        public ModelVersion ToVersion(Dictionary<string, Measure> measures, IReadOnlyList<string> aliases, Dictionary<string, string> tags) => new()
        {
            Id = Id,
            Model = Model,
            Version = (int)Version,
            Root = Digest.Parse(Root),
            SizeBytes = SizeBytes,
            NewBytes = NewBytes,
            StepKey = Digest.Parse(StepKey),
            RunId = Guid.Parse(RunId),
            Step = Step,
            Origin = Origin,
            Description = Description,
            CreatedAt = Timestamps.Read(CreatedAt),
            Shape = new ModelShape
            {
                Family = Family, TotalParameters = TotalParameters, ActiveParameters = ActiveParameters,
                Layers = (int)Layers, Experts = (int)Experts, ExpertsPerToken = (int)ExpertsPerToken,
            },
            Aliases = aliases,
            Tags = tags,
            Measures = measures,
            Metrics = measures.ToDictionary(m => m.Key, m => m.Value.Value),
            Signatures = (int)Signatures,
        };
    }
}
