using Dapper;
using Espalier.Contracts;

namespace Espalier.Registry;

/// <summary>Forgetting versions.</summary>
public sealed partial class ModelRegistry
{
    /// <summary>Forgets a version. Its number is never given out again; its bytes stay until gc finds that nothing needs them.</summary>
    /// <exception cref="UserInputException">An alias points to it.</exception>
    public async Task DeleteVersionAsync(string model, int version, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await LockModelAsync(connection, transaction, model).ConfigureAwait(false);
        var key = new { model, version };
        var found = await connection.QueryAsync<string>(
            "select alias from registry_alias where name = @model and version = @version order by alias", key, transaction).ConfigureAwait(false);
        if (found.AsList() is { Count: > 0 } aliases)
        {
            var verb = aliases.Count == 1 ? "points" : "point";
            throw new UserInputException(
                $"{model}@{version} cannot be deleted: {string.Join(", ", aliases)} {verb} to it. Move or remove the alias first.");
        }
        foreach (var statement in new[]
        {
            "delete from registry_fact where version_id in (select id from registry_version where name = @model and version = @version)",
            "delete from registry_card where version_id in (select id from registry_version where name = @model and version = @version)",
            "delete from registry_report where version_id in (select id from registry_version where name = @model and version = @version)",
            "delete from registry_storage where version_id in (select id from registry_version where name = @model and version = @version)",
            "delete from registry_tag where name = @model and version = @version",
            "delete from registry_approval where name = @model and version = @version",
            "delete from registry_version where name = @model and version = @version",
            """
            update registry_model set
                versions = (select count(*) from registry_version v where v.name = @model),
                latest = (select coalesce(max(v.version), 0) from registry_version v where v.name = @model)
            where name = @model
            """,
            "delete from registry_storage_total",
        })
            await connection.ExecuteAsync(statement, key, transaction).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }
}
