using Dapper;

namespace Espalier.Registry.Events;

/// <summary>Reads events as they are recorded, for event streams.</summary>
public sealed class EventFeed(RegistryDatabase database)
{
    private const int Batch = 200;

    /// <summary>The number of the newest event.</summary>
    public async Task<long> NewestAsync(CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await connection.ExecuteScalarAsync<long>("select coalesce(max(id), 0) from registry_event").ConfigureAwait(false);
    }

    /// <summary>Events after a number, oldest first; at most 200.</summary>
    public async Task<IReadOnlyList<RegistryEvent>> AfterAsync(long id, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await RegistryEvents.ReadAsync(connection, "id > @id", new { id }, Batch).ConfigureAwait(false);
    }
}
