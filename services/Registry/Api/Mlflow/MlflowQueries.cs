using Dapper;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Api.Mlflow;

/// <summary>MLflow's searches, by page.</summary>
internal sealed class MlflowQueries(RegistryDatabase database, ModelQueries models)
{
    /// <summary>Models by name.</summary>
    public async Task<Page<(ModelSummary Model, ModelVersion? Latest)>> SearchModelsAsync(MlflowFilter filter, bool descending, int limit, string? token, CancellationToken cancellationToken)
    {
        var after = Cursor.Read(token, 1)?[0];
        filter.Parameters.Add("after", after);
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var names = (await connection.QueryAsync<string>(
            $"select m.name from registry_model m where {filter.Sql} {(after is null ? "" : $"and m.name {(descending ? "<" : ">")} @after")} order by m.name {(descending ? "desc" : "asc")} limit {limit + 1}",
            filter.Parameters).ConfigureAwait(false)).AsList();
        var page = Cursor.Cut(names, limit, n => Cursor.Write(n));
        var found = new List<(ModelSummary, ModelVersion?)>();
        foreach (var name in page.Items)
        {
            if (await models.FindModelAsync(name, cancellationToken).ConfigureAwait(false) is { } model)
                found.Add((model, model.Latest == 0 ? null : await VersionReader.FindAsync(connection, name, model.Latest).ConfigureAwait(false)));
        }
        return new(found, page.Next);
    }

    /// <summary>Versions, newest first.</summary>
    public async Task<Page<ModelVersion>> SearchVersionsAsync(MlflowFilter filter, int limit, string? token, CancellationToken cancellationToken)
    {
        var after = Cursor.Read(token, 1)?[0];
        filter.Parameters.Add("after", after is null ? 0 : Cursor.Number(after));
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var versions = await VersionReader.ReadAsync(connection, $"where {filter.Sql} {(after is null ? "" : "and v.id < @after")} order by v.id desc limit {limit + 1}", filter.Parameters).ConfigureAwait(false);
        return Cursor.Cut(versions, limit, v => Cursor.Write($"{v.Id}"));
    }
}
