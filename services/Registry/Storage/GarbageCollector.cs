using System.Text.Json;
using Dapper;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Uploads;
using Espalier.Contracts;
using Espalier.Stages.Worker;

namespace Espalier.Registry.Storage;

/// <summary>How a collection behaves.</summary>
public sealed record CollectionOptions
{
    /// <summary>Age under which nothing is touched: uploads and running steps must name what they put within this time.</summary>
    /// <value>24 hours</value>
    public TimeSpan Grace { get; init; } = TimeSpan.FromHours(24);

    /// <summary>How long a blob stays condemned before it is deleted; null takes the grace.</summary>
    /// <value>null</value>
    public TimeSpan? Quarantine { get; init; }

    /// <summary>
    /// Results of steps that are older than this and that no version needs are given up; null keeps every result, so that the same work
    /// is never done twice.
    /// </summary>
    /// <value>null</value>
    public TimeSpan? CacheAge { get; init; }

    /// <summary>Only says what would happen.</summary>
    public bool DryRun { get; init; }
}

/// <summary>What a collection found and did. Bytes of the reasons overlap where artifacts share blobs; the first reason counts.</summary>
public sealed record CollectionReport
{
    /// <summary>Whether nothing was changed.</summary>
    public required bool DryRun { get; init; }

    /// <summary>Bytes that versions and their ancestry need.</summary>
    public required long RegisteredBytes { get; init; }

    /// <summary>Bytes that only kept results of steps need.</summary>
    public required long CacheBytes { get; init; }

    /// <summary>Bytes that only saved positions of unfinished steps need.</summary>
    public required long PositionBytes { get; init; }

    /// <summary>Blobs that nothing needs, but that were put lately.</summary>
    public required int YoungBlobs { get; init; }

    /// <summary>Their bytes.</summary>
    public required long YoungBytes { get; init; }

    /// <summary>Blobs that nothing needs and that wait for their end.</summary>
    public required int CondemnedBlobs { get; init; }

    /// <summary>Their bytes.</summary>
    public required long CondemnedBytes { get; init; }

    /// <summary>Blobs that were deleted; in a dry run, that would be.</summary>
    public required int DeletedBlobs { get; init; }

    /// <summary>Their bytes.</summary>
    public required long DeletedBytes { get; init; }

    /// <summary>Kept results that were given up.</summary>
    public required int DroppedResults { get; init; }

    /// <summary>
    /// Damaged manifests of versions and their ancestry. Nobody knows what they name, so nothing is deleted while there are any: blobs
    /// are only condemned.
    /// </summary>
    public required IReadOnlyList<Digest> Unreadable { get; init; }
}

/// <summary>
/// Deletes blobs that nothing needs. Roots are versions with their whole ancestry (so that receipts can be executed), registered datasets,
/// results of steps, saved positions, and text that was uploaded or used lately. A blob goes in two phases: it is condemned when it is unneeded
/// and older than the grace, and deleted by a later mark that still finds it unneeded after the quarantine. Whoever puts a condemned blob again
/// saves it. While the manifest of a version is damaged, nothing is deleted.
/// </summary>
public sealed class GarbageCollector(RegistryDatabase database, ArtifactStore artifacts, TimeProvider time)
{
    private const string Condemned = "gc/condemned";
    private readonly SemaphoreSlim _running = new(1);

    /// <summary>Marks, sweeps what was condemned long enough ago, and condemns what is unneeded now.</summary>
    /// <exception cref="UserInputException">A collection runs already, or the store cannot delete.</exception>
    public async Task<CollectionReport> CollectAsync(CollectionOptions options, CancellationToken cancellationToken)
    {
        if (options.Grace < TimeSpan.Zero || options.Quarantine < TimeSpan.Zero || options.CacheAge < TimeSpan.Zero)
            throw new UserInputException("Grace, quarantine and cache age are lengths of time from zero on.");
        var store = artifacts.Blobs as ICollectableBlobStore ?? throw new UserInputException("This store cannot delete blobs.");
        if (!await _running.WaitAsync(0, cancellationToken).ConfigureAwait(false))
            throw new UserInputException("A collection is already running; wait for it to end.");
        try
        {
            return await CollectAsync(store, options, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _running.Release();
        }
    }

    private async Task<CollectionReport> CollectAsync(ICollectableBlobStore store, CollectionOptions options, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow();
        var condemned = await ReadCondemnedAsync(cancellationToken).ConfigureAwait(false);
        var (marks, dropped, unreadable) = await MarkAsync(options, now, cancellationToken).ConfigureAwait(false);
        var bytes = new Dictionary<Reason, long>();
        var young = (Count: 0, Bytes: 0L);
        var candidates = new Dictionary<Digest, long>();
        await foreach (var blob in store.ListAgedAsync(cancellationToken).ConfigureAwait(false))
        {
            if (marks.TryGetValue(blob.Digest, out var reason))
                bytes[reason] = bytes.GetValueOrDefault(reason) + blob.SizeBytes;
            else if (blob.LastPut > now - options.Grace)
                young = (young.Count + 1, young.Bytes + blob.SizeBytes);
            else
                candidates[blob.Digest] = blob.SizeBytes;
        }
        // First phase: condemned anew, or since an earlier collection.
        var waiting = candidates.Keys.ToDictionary(c => c, c => condemned.TryGetValue(c, out var since) ? since : now);
        var due = waiting.Where(w => unreadable.Count == 0 && now - w.Value >= (options.Quarantine ?? options.Grace)).Select(w => w.Key).ToList();
        if (!options.DryRun)
        {
            foreach (var key in dropped)
                await store.DeleteRecordAsync("steps/" + key.Hex, cancellationToken).ConfigureAwait(false);
            await WriteCondemnedAsync(waiting, cancellationToken).ConfigureAwait(false);
            due = await SweepAsync(store, due, options, now, cancellationToken).ConfigureAwait(false);
            due.ForEach(d => waiting.Remove(d));
            await WriteCondemnedAsync(waiting, cancellationToken).ConfigureAwait(false);
        }
        else
        {
            due.ForEach(d => waiting.Remove(d));
        }
        return new CollectionReport
        {
            DryRun = options.DryRun,
            RegisteredBytes = bytes.GetValueOrDefault(Reason.Registered),
            CacheBytes = bytes.GetValueOrDefault(Reason.Cache),
            PositionBytes = bytes.Where(b => b.Key is not (Reason.Registered or Reason.Cache)).Sum(b => b.Value),
            YoungBlobs = young.Count,
            YoungBytes = young.Bytes,
            CondemnedBlobs = waiting.Count,
            CondemnedBytes = waiting.Keys.Sum(w => candidates[w]),
            DeletedBlobs = due.Count,
            DeletedBytes = due.Sum(d => candidates[d]),
            DroppedResults = dropped.Count,
            Unreadable = unreadable,
        };
    }

    /// <summary>Second phase: what is due is deleted unless a fresh mark needs it or it was uploaded again meanwhile.</summary>
    private async Task<List<Digest>> SweepAsync(
        ICollectableBlobStore store, List<Digest> due, CollectionOptions options, DateTimeOffset now, CancellationToken cancellationToken)
    {
        if (due.Count == 0)
            return [];
        var (marks, _, unreadable) = await MarkAsync(options, now, cancellationToken).ConfigureAwait(false);
        var deleted = new List<Digest>();
        if (unreadable.Count > 0)
            return deleted;
        foreach (var blob in due.Where(d => !marks.ContainsKey(d)))
        {
            if (await store.DeleteAsync(blob, now - options.Grace, cancellationToken).ConfigureAwait(false))
                deleted.Add(blob);
        }
        return deleted;
    }

    private async Task<bool> EndedBeforeAsync(Digest key, DateTimeOffset time, CancellationToken cancellationToken) =>
        await StepReceipt.FindAsync(artifacts, key, cancellationToken).ConfigureAwait(false) is { } receipt
            && receipt.Started + receipt.Duration < time;

    private async Task<(Dictionary<Digest, Reason> Marks, List<Digest> Dropped, IReadOnlyList<Digest> Unreadable)> MarkAsync(
        CollectionOptions options, DateTimeOffset now, CancellationToken cancellationToken)
    {
        var marker = new Marker(artifacts);
        await using (var connection = await database.OpenAsync(cancellationToken).ConfigureAwait(false))
        {
            foreach (var root in await connection.QueryAsync<string>("select distinct root from registry_version").ConfigureAwait(false))
                await marker.MarkAsync(Digest.Parse(root), Reason.Registered, cancellationToken).ConfigureAwait(false);
            foreach (var root in await connection.QueryAsync<string>("select distinct root from registry_dataset_version").ConfigureAwait(false))
                await marker.MarkAsync(Digest.Parse(root), Reason.Registered, cancellationToken).ConfigureAwait(false);
            foreach (var root in await connection.QueryAsync<string>("select distinct root from registry_report").ConfigureAwait(false))
                await marker.MarkAsync(Digest.Parse(root), Reason.Registered, cancellationToken).ConfigureAwait(false);
        }
        var dropped = new List<Digest>();
        await foreach (var record in artifacts.Blobs.ListRecordsAsync("steps/", cancellationToken).ConfigureAwait(false))
        {
            if (!Digest.TryParse(record["steps/".Length..], out var key))
                continue;
            if (await artifacts.FindStepAsync(key, cancellationToken).ConfigureAwait(false) is not { } commit)
                continue;
            var isRegistered = commit.Outputs.Values.Any(o => marker.Marks.GetValueOrDefault(o.Root, Reason.Cache) == Reason.Registered);
            if (options.CacheAge is { } age && !isRegistered && await EndedBeforeAsync(key, now - age, cancellationToken).ConfigureAwait(false))
            {
                dropped.Add(key);
                continue;
            }
            foreach (var output in commit.Outputs.Values)
                await marker.MarkAsync(output.Root, Reason.Cache, cancellationToken).ConfigureAwait(false);
        }
        foreach (var blob in await new UploadStore(artifacts.Blobs, time).ListNeededAsync(options.DryRun, cancellationToken).ConfigureAwait(false))
            marker.Marks.TryAdd(blob, Reason.Position);
        await foreach (var record in artifacts.Blobs.ListRecordsAsync("cursors/", cancellationToken).ConfigureAwait(false))
        {
            if (await artifacts.Blobs.ReadRecordAsync(record, cancellationToken).ConfigureAwait(false) is { } position)
                await marker.MarkNamedAsync(position, cancellationToken).ConfigureAwait(false);
        }
        return (marker.Marks, dropped, marker.Unreadable);
    }

    /// <summary>What waits since when. A damaged list is as none: what it named waits anew.</summary>
    private async Task<Dictionary<Digest, DateTimeOffset>> ReadCondemnedAsync(CancellationToken cancellationToken)
    {
        var bytes = await artifacts.Blobs.ReadRecordAsync(Condemned, cancellationToken).ConfigureAwait(false);
        try
        {
            return bytes is null ? [] : JsonSerializer.Deserialize<Dictionary<Digest, DateTimeOffset>>(bytes, WireJson.Options) ?? [];
        }
        catch (JsonException)
        {
            return [];
        }
    }

    private Task WriteCondemnedAsync(Dictionary<Digest, DateTimeOffset> condemned, CancellationToken cancellationToken) =>
        artifacts.Blobs.WriteRecordAsync(Condemned, JsonSerializer.SerializeToUtf8Bytes(condemned, WireJson.Options), cancellationToken);
}
