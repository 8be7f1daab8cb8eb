using Dapper;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Api.Mlflow;

/// <summary>MLflow's searches, by page.</summary>
internal sealed class MlflowQueries(RegistryDatabase database)
{
    /// <summary>Whether statements are for SQLite.</summary>
    public bool IsSqlite => database.IsSqlite;

    /// <summary>Models that meet a filter, each with its newest version.</summary>
    public async Task<Page<(ModelSummary Model, ModelVersion? Latest)>> SearchModelsAsync(
        MlflowFilter filter, MlflowOrder order, int limit, string? token, CancellationToken cancellationToken)
    {
        var after = order.Read(token);
        filter.Parameters.Add("key", after?.Key);
        filter.Parameters.Add("last", after?.Last);
        var isLater = after is null ? "" : $"and ({order.Column}, m.name) {order.Next} (@key, @last)";
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var rows = (await connection.QueryAsync<(string Name, string Key)>(
            $"""
            select m.name, cast({order.Column} as text) from registry_model m where {filter.Sql} {isLater}
            order by {order.Column} {order.Direction}, m.name {order.Direction} limit {limit + 1}
            """,
            filter.Parameters).ConfigureAwait(false)).AsList();
        var page = Cursor.Cut(rows, limit, r => order.Write(r.Key, r.Name));
        var models = await ModelQueries.ReadModelsAsync(connection, [.. page.Items.Select(r => r.Name)]).ConfigureAwait(false);
        var ids = await connection.QueryAsync<long>(
            $"""
            select coalesce((select v.id from registry_version v where v.name = m.name and v.version = m.latest), 0)
            from registry_model m where {InCondition.Sql(connection, "m.name", "names")}
            """,
            InCondition.Parameter(connection, "names", models.Select(m => m.Name).ToList())).ConfigureAwait(false);
        var latest = (await VersionReader.ReadAsync(connection, [.. ids]).ConfigureAwait(false)).ToDictionary(v => v.Model);
        return new([.. models.Select(m => (m, latest.GetValueOrDefault(m.Name)))], page.Next);
    }

    /// <summary>Versions that meet a filter.</summary>
    public async Task<Page<ModelVersion>> SearchVersionsAsync(
        MlflowFilter filter, MlflowOrder order, int limit, string? token, CancellationToken cancellationToken)
    {
        var after = order.Read(token);
        filter.Parameters.Add("key", after?.Key);
        filter.Parameters.Add("last", after is null ? 0 : Cursor.Number(after.Value.Last));
        var isLater = after is null ? "" : $"and ({order.Column}, v.id) {order.Next} (@key, @last)";
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var first = await IndexedCondition.MostSelectiveAsync(connection, filter.Indexed).ConfigureAwait(false);
        var (with, picked) = first is { } pick
            ? ($"with picked as materialized ({filter.Indexed[pick].Ids})", "picked p cross join registry_version v where v.id = p.version_id and")
            : ("", "registry_version v where");
        var rows = (await connection.QueryAsync<(long Id, string Key)>(
            $"""
            {with} select v.id, cast({order.Column} as text) from {picked} {filter.SqlWithout(first)} {isLater}
            order by {order.Column} {order.Direction}, v.id {order.Direction} limit {limit + 1}
            """,
            filter.Parameters).ConfigureAwait(false)).AsList();
        var page = Cursor.Cut(rows, limit, r => order.Write(r.Key, $"{r.Id}"));
        return new(await VersionReader.ReadAsync(connection, [.. page.Items.Select(r => r.Id)]).ConfigureAwait(false), page.Next);
    }
}
