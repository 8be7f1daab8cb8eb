using System.Collections.Concurrent;
using System.Text.Json;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>
/// Reads a whole store: every blob against its digest, every record of a step, and every manifest that a step, a version or
/// another manifest names. What is damaged is set aside, so that it counts as missing and is made again.
/// </summary>
/// <param name="artifacts">The store.</param>
public sealed class StoreScrub(ArtifactStore artifacts)
{
    private const int ReadsAtOnce = 2;
    private const string Receipts = "receipts/";
    private readonly ConcurrentDictionary<Digest, StoreFault> _faults = new();
    private readonly Dictionary<Digest, Manifest?> _manifests = [];
    private readonly List<RecordFault> _records = [];
    private readonly List<(Digest Key, StepCommit Commit)> _steps = [];

    /// <summary>Scrubs.</summary>
    /// <param name="roots">Artifacts that are needed beside those that steps made: versions and their reports.</param>
    /// <param name="progress">Gets bytes done and bytes in all.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<ScrubReport> RunAsync(IEnumerable<Digest> roots, IProgress<(long Done, long Total)>? progress, CancellationToken cancellationToken)
    {
        var blobs = await artifacts.Blobs.ListAsync(cancellationToken).ToListAsync(cancellationToken).ConfigureAwait(false);
        await ReadBlobsAsync(blobs, progress, cancellationToken).ConfigureAwait(false);
        await ReadRecordsAsync(cancellationToken).ConfigureAwait(false);
        await WalkAsync(roots.Concat(_steps.SelectMany(s => s.Commit.Outputs.Values.Select(o => o.Root))), cancellationToken).ConfigureAwait(false);
        await FindMissingAsync(blobs, cancellationToken).ConfigureAwait(false);
        var faulty = _manifests.Where(m => IsFaulty(m.Value)).Select(m => m.Key).ToHashSet();
        return new ScrubReport
        {
            Blobs = blobs.Count,
            Bytes = blobs.Sum(b => b.SizeBytes),
            Manifests = _manifests.Values.Count(m => m is not null),
            Steps = _steps.Count,
            Faults = [.. _faults.Values.OrderBy(f => f.Blob)],
            Records = _records,
            Recompute = [.. _steps.Where(s => s.Commit.Outputs.Values.Any(o => faulty.Contains(o.Root))).Select(s => s.Key)],
            Faulty = faulty,
            Descendants = FindDescendants(faulty),
        };
    }

    private async Task ReadBlobsAsync(List<BlobReceipt> blobs, IProgress<(long Done, long Total)>? progress, CancellationToken cancellationToken)
    {
        var (done, total) = (0L, blobs.Sum(b => b.SizeBytes));
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = ReadsAtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(blobs, parallel, async (blob, token) =>
        {
            try
            {
                await artifacts.Blobs.VerifyAsync(blob.Digest, bytes => progress?.Report((Interlocked.Add(ref done, bytes), total)), token)
                    .ConfigureAwait(false);
            }
            catch (DamagedBlobException e)
            {
                _faults[blob.Digest] = new StoreFault(blob.Digest, IsMissing: false, e.Detail);
            }
            catch (MissingBlobException)
            {
                // Collected since it was listed; if something still needs it, that is found below.
            }
        }).ConfigureAwait(false);
    }

    private async Task ReadRecordsAsync(CancellationToken cancellationToken)
    {
        await foreach (var record in artifacts.Blobs.ListRecordsAsync(StepRecords.Prefix, cancellationToken).ConfigureAwait(false))
        {
            if (!Digest.TryParse(record[StepRecords.Prefix.Length..], out var key))
                continue;
            var found = await artifacts.ReadStepAsync(key, cancellationToken).ConfigureAwait(false);
            if (found.Commit is { } commit)
                _steps.Add((key, commit));
            else if (found.Damage is not null && await artifacts.SetAsideRecordAsync(record, cancellationToken).ConfigureAwait(false) is { } aside)
                _records.Add(new RecordFault(record, aside, key));
        }
        await foreach (var record in artifacts.Blobs.ListRecordsAsync(Receipts, cancellationToken).ConfigureAwait(false))
        {
            if (await artifacts.Blobs.ReadRecordAsync(record, cancellationToken).ConfigureAwait(false) is not { } bytes || IsJson(bytes))
                continue;
            if (await artifacts.SetAsideRecordAsync(record, cancellationToken).ConfigureAwait(false) is { } aside)
                _records.Add(new RecordFault(record, aside, Digest.TryParse(record[Receipts.Length..], out var key) ? key : null));
        }
    }

    private async Task WalkAsync(IEnumerable<Digest> roots, CancellationToken cancellationToken)
    {
        var waiting = new Queue<Digest>(roots);
        while (waiting.TryDequeue(out var root))
        {
            if (_manifests.ContainsKey(root))
                continue;
            try
            {
                var manifest = await artifacts.ReadAsync(root, cancellationToken).ConfigureAwait(false);
                _manifests[root] = manifest;
                foreach (var parent in manifest.Parents)
                    waiting.Enqueue(parent.Manifest);
            }
            catch (Exception e) when (e is MissingBlobException or InvalidDataException)
            {
                _manifests[root] = null;
                _faults.GetOrAdd(root, r => new StoreFault(r, e is MissingBlobException and not DamagedBlobException, ArtifactCheck.DetailOf(e)))
                    .Add(root, ArtifactCheck.ManifestContent);
            }
        }
    }

    private async Task FindMissingAsync(List<BlobReceipt> blobs, CancellationToken cancellationToken)
    {
        var there = blobs.Select(b => b.Digest).Where(b => !_faults.ContainsKey(b)).ToHashSet();
        foreach (var (root, manifest) in _manifests)
            foreach (var (blob, content) in ContentsOf(manifest))
            {
                if (there.Contains(blob))
                    continue;
                if (!_faults.TryGetValue(blob, out var fault))
                {
                    if (await FindFaultAsync(blob, cancellationToken).ConfigureAwait(false) is not { } found)
                    {
                        there.Add(blob); // stored since the list was made
                        continue;
                    }
                    _faults[blob] = fault = found;
                }
                fault.Add(root, content);
            }
    }

    private async Task<StoreFault?> FindFaultAsync(Digest blob, CancellationToken cancellationToken)
    {
        try
        {
            await artifacts.Blobs.VerifyAsync(blob, null, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (MissingBlobException e)
        {
            return new StoreFault(blob, e is not DamagedBlobException, ArtifactCheck.DetailOf(e));
        }
    }

    private bool IsFaulty(Manifest? manifest) => manifest is null || ContentsOf(manifest).Any(c => _faults.ContainsKey(c.Blob));

    private HashSet<Digest> FindDescendants(HashSet<Digest> faulty)
    {
        var descendants = new HashSet<Digest>();
        for (var grown = true; grown;)
        {
            grown = false;
            foreach (var (root, manifest) in _manifests)
                if (manifest?.Parents.Any(p => faulty.Contains(p.Manifest) || descendants.Contains(p.Manifest)) == true)
                    grown |= descendants.Add(root);
        }
        return descendants;
    }

    private static IEnumerable<(Digest Blob, string Content)> ContentsOf(Manifest? manifest) => manifest is null
        ? []
        : manifest.Files.Select(f => (f.Blob, $"file '{f.Path}'")).Concat(manifest.Tensors.Select(t => (t.Blob, $"tensor '{t.Name}'")));

    private static bool IsJson(byte[] bytes)
    {
        try
        {
            using var document = JsonDocument.Parse(bytes);
            return document.RootElement.ValueKind == JsonValueKind.Object;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
