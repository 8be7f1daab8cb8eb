using System.Data.Common;
using System.Text.Json.Nodes;
using Dapper;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Datasets;

/// <summary>Names and integer versions from 1 of datasets. A version never changes; the same dataset again is no new version.</summary>
public sealed class DatasetNames(RegistryDatabase database, TimeProvider time)
{
    private const string Columns = "name, version, root, size_bytes, source, train_bytes, run_id, description, created_at";
    private const int MostCompared = 2000, MostNear = 5;

    /// <summary>Registers a dataset under a name, once, however often it is done and whatever was registered in between.</summary>
    /// <returns>Its version, the newest one where there are several, and whether this call made it.</returns>
    /// <exception cref="UserInputException">The artifact is no dataset, or the name is wrong.</exception>
    public async Task<(RegisteredDataset Dataset, bool IsNew)> RegisterAsync(
        ArtifactStore store, string name, ManifestRef dataset, Digest stepKey, Guid run, string description, CancellationToken cancellationToken)
    {
        ModelRegistry.ValidateName(name, "dataset name");
        ModelRegistry.CheckDescription(description);
        var manifest = await store.ReadAsync(dataset.Root, cancellationToken).ConfigureAwait(false);
        if (manifest.Kind != ArtifactKind.Dataset)
            throw new UserInputException($"{dataset.Root.Short} is a {manifest.Kind}, not a dataset, and cannot be registered as one.");
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        await using var transaction = await connection.BeginTransactionAsync(cancellationToken).ConfigureAwait(false);
        var now = Timestamps.Write(time.GetUtcNow());
        // The row of the name is the lock under which its versions are numbered.
        await connection.ExecuteAsync(
            """
            insert into registry_dataset(name, numbered, created_at) values (@name, 0, @now)
            on conflict (name) do update set created_at = registry_dataset.created_at
            """, new { name, now }, transaction).ConfigureAwait(false);
        var before = await OfRootAsync(connection, name, dataset.Root, transaction).ConfigureAwait(false);
        if (before is null)
        {
            await connection.ExecuteAsync("update registry_dataset set numbered = numbered + 1 where name = @name", new { name }, transaction)
                .ConfigureAwait(false);
            await connection.ExecuteAsync(
                $"""
                insert into registry_dataset_version(step_key, {Columns})
                select @stepKey, name, numbered, @root, @SizeBytes, @source, @trainBytes, @runId, @description, @now
                  from registry_dataset where name = @name
                """,
                new
                {
                    stepKey = stepKey.Hex, root = dataset.Root.Hex, dataset.SizeBytes, source = SourceOf(manifest.Properties),
                    trainBytes = TrainBytesOf(manifest.Properties), runId = run.ToString(), description, now, name,
                }, transaction).ConfigureAwait(false);
        }
        var registered = before ?? (await OfRootAsync(connection, name, dataset.Root, transaction).ConfigureAwait(false))!;
        await transaction.CommitAsync(cancellationToken).ConfigureAwait(false);
        return (registered, before is null);
    }

    /// <summary>Datasets by name, newest version first within a name.</summary>
    /// <param name="name">Only this one; null for all.</param>
    /// <param name="limit">At most so many.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task<IReadOnlyList<RegisteredDataset>> ListAsync(string? name, int limit, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await ListAsync(connection, name, limit).ConfigureAwait(false);
    }

    /// <summary>What is behind <c>dataset:NAME@VERSION</c> or <c>dataset:NAME</c>; else what may have been meant.</summary>
    public async Task<ModelFound> FindAsync(string reference, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var wanted = DatasetReference.Parse(reference);
        var found = wanted.Version is { } version
            ? await FirstAsync(connection, "where name = @Name and version = @version", new { wanted.Name, version }, null).ConfigureAwait(false)
            : wanted.IsNewest ? await NewestAsync(connection, wanted.Name).ConfigureAwait(false) : null;
        if (found is not null)
            return new ModelFound(new ManifestRef(ArtifactKind.Dataset, found.Root, found.SizeBytes));
        var known = await ListAsync(connection, null, MostCompared).ConfigureAwait(false);
        return new ModelFound(null) { Nearest = DatasetReference.Nearest(wanted.Name, known, MostNear) };
    }

    /// <summary>Forgets a version. Its number is never given out again; its bytes stay until gc finds that nothing needs them.</summary>
    /// <returns>Whether there was one.</returns>
    public async Task<bool> DeleteAsync(string name, int version, CancellationToken cancellationToken)
    {
        await using var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false);
        return await connection.ExecuteAsync(
            "delete from registry_dataset_version where name = @name and version = @version", new { name, version }).ConfigureAwait(false) > 0;
    }

    private static Task<IReadOnlyList<RegisteredDataset>> ListAsync(DbConnection connection, string? name, int limit) => name is null
        ? ReadAsync(connection, "order by name, version desc limit @limit", new { limit }, null)
        : ReadAsync(connection, "where name = @name order by version desc limit @limit", new { name, limit }, null);

    private static Task<RegisteredDataset?> NewestAsync(DbConnection connection, string name) =>
        FirstAsync(connection, "where name = @name order by version desc limit 1", new { name }, null);

    private static Task<RegisteredDataset?> OfRootAsync(DbConnection connection, string name, Digest root, DbTransaction transaction) =>
        FirstAsync(connection, "where name = @name and root = @root order by version desc limit 1", new { name, root = root.Hex }, transaction);

    private static async Task<RegisteredDataset?> FirstAsync(DbConnection connection, string condition, object values, DbTransaction? transaction) =>
        (await ReadAsync(connection, condition, values, transaction).ConfigureAwait(false)).FirstOrDefault();

    private static async Task<IReadOnlyList<RegisteredDataset>> ReadAsync(
        DbConnection connection, string condition, object values, DbTransaction? transaction) =>
        [.. (await connection.QueryAsync<Row>($"select {Columns} from registry_dataset_version {condition}", values, transaction).ConfigureAwait(false))
            .Select(r => r.ToDataset())];

    private static string SourceOf(JsonObject? properties) =>
        properties?["source"] is JsonValue value && value.TryGetValue<string>(out var text) ? text : "";

    private static long TrainBytesOf(JsonObject? properties) => properties?["domains"] is JsonObject domains
        ? domains.Sum(d => d.Value?["splits"]?["train"]?["size-bytes"] is JsonValue bytes && bytes.TryGetValue<long>(out var size) ? size : 0)
        : 0;

    private sealed class Row
    {
        public string Name { get; init; } = "";
        public int Version { get; init; }
        public string Root { get; init; } = "";
        public long SizeBytes { get; init; }
        public string Source { get; init; } = "";
        public long TrainBytes { get; init; }
        public string RunId { get; init; } = "";
        public string Description { get; init; } = "";
        public string CreatedAt { get; init; } = "";

        public RegisteredDataset ToDataset() => new()
        {
            Name = Name, Version = Version, Root = Digest.Parse(Root), SizeBytes = SizeBytes, Source = Source, TrainBytes = TrainBytes,
            Run = Guid.Parse(RunId), Description = Description, Created = Timestamps.Read(CreatedAt),
        };
    }
}
