using System.Data.Common;
using System.Text.Json.Serialization;
using Dapper;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Storage;

/// <summary>What the store holds.</summary>
/// <param name="Logical">Bytes of all versions as if nothing were shared.</param>
/// <param name="Physical">Bytes of all blobs in the store.</param>
/// <param name="Unreferenced">Bytes of blobs that no version names: caches, reports, optimizer states, what gc would look at.</param>
/// <param name="Models">Versions, those that would free most first.</param>
/// <param name="Next">Cursor of the next page.</param>
/// <param name="At">When this was counted.</param>
public sealed record StorageView(
    long Logical, long Physical, long Unreferenced, IReadOnlyList<StoredVersion> Models,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Next, DateTimeOffset At);

/// <summary>What one version holds.</summary>
/// <param name="Name">Model.</param>
/// <param name="Version">Version.</param>
/// <param name="Logical">Its bytes as if nothing were shared.</param>
/// <param name="Frees">Bytes of blobs that no other version has: what deleting it would free.</param>
public sealed record StoredVersion(string Name, int Version, long Logical, long Frees);

/// <summary>
/// Counts blobs over all versions. Counting reads every manifest, so it is done when versions came since the last time, and
/// the answer is kept; a page of it is a range of an index.
/// </summary>
public sealed class StorageSnapshot(RegistryDatabase database, ArtifactStore artifacts, TimeProvider time)
{
    private const long CountedAtOnce = 500;
    private readonly SemaphoreSlim _counting = new(1);

    /// <summary>A page of the newest count. A small registry is counted when it changed; a large one in the background.</summary>
    public async Task<StorageView> ReadAsync(int limit, string? cursor, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var total = await TotalAsync(connection).ConfigureAwait(false);
        var newest = await connection.ExecuteScalarAsync<long>("select value from registry_counter where name = 'version'").ConfigureAwait(false);
        if (total is null || total.Versions != newest && newest <= CountedAtOnce)
        {
            await CountAsync(cancellationToken).ConfigureAwait(false);
            total = await TotalAsync(connection).ConfigureAwait(false);
        }
        else if (total.Versions != newest && _counting.CurrentCount > 0)
        {
            _ = Task.Run(() => CountAsync(CancellationToken.None), CancellationToken.None);
        }
        var after = Cursor.Read(cursor, 2);
        var (frees, id) = after is null ? (0, 0) : (Cursor.Number(after[0]), Cursor.Number(after[1]));
        var rows = (await connection.QueryAsync<(string Name, long Version, long Logical, long Frees, long Id)>(
            $"""
            select v.name, cast(v.version as bigint), s.logical, s.frees, s.version_id
            from registry_storage s join registry_version v on v.id = s.version_id
            {(after is null ? "" : "where (s.frees, s.version_id) < (@frees, @id)")} order by s.frees desc, s.version_id desc limit @most
            """,
            new { frees, id, most = limit + 1 }).ConfigureAwait(false)).AsList();
        var page = Cursor.Cut(rows, limit, r => Cursor.Write($"{r.Frees}", $"{r.Id}"));
        var versions = page.Items.Select(r => new StoredVersion(r.Name, (int)r.Version, r.Logical, r.Frees)).ToList();
        return new StorageView(total!.Logical, total.Physical, total.Unreferenced, versions, page.Next, Timestamps.Read(total.MadeAt));
    }

    /// <summary>Counts everything again.</summary>
    public async Task CountAsync(CancellationToken cancellationToken)
    {
        await _counting.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
            var newest = await connection.ExecuteScalarAsync<long>("select value from registry_counter where name = 'version'").ConfigureAwait(false);
            var versions = (await connection.QueryAsync<(long Id, string Root)>(
                "select id, root from registry_version order by id").ConfigureAwait(false)).AsList();
            var holders = new Dictionary<Digest, (long Bytes, long Holder)>(); // holder -1: several versions
            var logical = new Dictionary<long, long>();
            foreach (var (id, root) in versions)
                logical[id] = await AddAsync(holders, id, Digest.Parse(root), cancellationToken).ConfigureAwait(false);
            var frees = holders.Values.Where(h => h.Holder >= 0).GroupBy(h => h.Holder).ToDictionary(g => g.Key, g => g.Sum(h => h.Bytes));
            var (physical, unreferenced) = (0L, 0L);
            await foreach (var blob in artifacts.Blobs.ListAsync(cancellationToken).ConfigureAwait(false))
            {
                physical += blob.SizeBytes;
                unreferenced += holders.ContainsKey(blob.Digest) ? 0 : blob.SizeBytes;
            }
            var total = new Total
            {
                Logical = logical.Values.Sum(),
                Physical = physical,
                Unreferenced = unreferenced,
                Versions = newest,
                MadeAt = Timestamps.Write(time.GetUtcNow()),
            };
            await WriteAsync(connection, logical, frees, total, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _counting.Release();
        }
    }

    private async Task<long> AddAsync(Dictionary<Digest, (long Bytes, long Holder)> holders, long id, Digest root, CancellationToken cancellationToken)
    {
        Manifest manifest;
        try
        {
            manifest = await artifacts.ReadAsync(root, cancellationToken).ConfigureAwait(false);
        }
        catch (MissingBlobException)
        {
            return 0;
        }
        var blobs = new Dictionary<Digest, long> { [root] = await artifacts.Blobs.FindLengthAsync(root, cancellationToken).ConfigureAwait(false) ?? 0 };
        foreach (var file in manifest.Files)
            blobs[file.Blob] = file.SizeBytes;
        foreach (var tensor in manifest.Tensors)
            blobs[tensor.Blob] = Math.Max(blobs.GetValueOrDefault(tensor.Blob), tensor.Offset + tensor.SizeBytes);
        foreach (var (blob, bytes) in blobs)
            holders[blob] = (bytes, holders.ContainsKey(blob) ? -1 : id);
        return manifest.SizeBytes;
    }

    private static async Task WriteAsync(
        DbConnection connection, Dictionary<long, long> logical, Dictionary<long, long> frees, Total total, CancellationToken cancellationToken)
    {
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        await connection.ExecuteAsync("delete from registry_storage", transaction: transaction).ConfigureAwait(false);
        foreach (var (id, bytes) in logical)
        {
            await connection.ExecuteAsync(
                "insert into registry_storage(version_id, logical, frees) values (@id, @bytes, @own)",
                new { id, bytes, own = frees.GetValueOrDefault(id) }, transaction).ConfigureAwait(false);
        }
        await connection.ExecuteAsync(
            """
            insert into registry_storage_total(only_row, logical, physical, unreferenced, versions, made_at)
            values (1, @Logical, @Physical, @Unreferenced, @Versions, @MadeAt)
            on conflict (only_row) do update set
                logical = excluded.logical, physical = excluded.physical, unreferenced = excluded.unreferenced,
                versions = excluded.versions, made_at = excluded.made_at
            """, total, transaction).ConfigureAwait(false);
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
    }

    private static Task<Total?> TotalAsync(DbConnection connection) =>
        connection.QuerySingleOrDefaultAsync<Total?>(
            """
            select logical as Logical, physical as Physical, unreferenced as Unreferenced, versions as Versions, made_at as MadeAt
            from registry_storage_total
            """);

    private sealed class Total
    {
        public long Logical { get; set; }
        public long Physical { get; set; }
        public long Unreferenced { get; set; }
        public long Versions { get; set; }
        public string MadeAt { get; set; } = "";
    }
}
