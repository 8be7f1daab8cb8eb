using System.Net.Http.Headers;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Registry.Api;

namespace Espalier.Cli.Client;

/// <summary>Sends a stored checkpoint to a registry: the blobs that it lacks, then the manifest.</summary>
internal sealed class ModelUpload(RegistryConnection registry, ArtifactStore store)
{
    private const int AtOnce = 4, AskedAtOnce = 5000;

    /// <summary>Sends it; returns the new version and how many bytes were sent.</summary>
    public async Task<(VersionView Version, long Sent)> SendAsync(
        Digest root, string name, string origin, IProgress<(long, long)> progress, CancellationToken cancellationToken)
    {
        var manifest = await store.ReadAsync(root, cancellationToken).ConfigureAwait(false);
        var blobs = manifest.Files.Select(f => f.Blob).Concat(manifest.Tensors.Select(t => t.Blob)).Distinct().ToList();
        var missing = await FindMissingAsync(blobs, cancellationToken).ConfigureAwait(false);
        var sent = await SendBlobsAsync(missing, progress, cancellationToken).ConfigureAwait(false);
        // Ancestors stay here: the registry could not check what it does not have.
        var body = new { Manifest = manifest with { Parents = [], Experts = [] }, Origin = origin };
        var request = new ApiRequest(HttpMethod.Post, "/api/v1/models/{name}/versions").Path("name", name).Body(body);
        var version = await registry.SendAsync<VersionView>(request, cancellationToken).ConfigureAwait(false);
        return (version, sent);
    }

    private async Task<List<Digest>> FindMissingAsync(List<Digest> blobs, CancellationToken cancellationToken)
    {
        var missing = new List<Digest>();
        foreach (var part in blobs.Chunk(AskedAtOnce))
        {
            var answer = await registry.Api.FindMissingBlobsAsync(new BlobDigests(part), cancellationToken).ConfigureAwait(false);
            missing.AddRange(answer.Missing);
        }
        return missing;
    }

    private async Task<long> SendBlobsAsync(List<Digest> missing, IProgress<(long, long)> progress, CancellationToken cancellationToken)
    {
        var lengths = new Dictionary<Digest, long>();
        foreach (var blob in missing)
            lengths[blob] = await store.Blobs.FindLengthAsync(blob, cancellationToken).ConfigureAwait(false) ?? 0;
        var (sent, total) = (0L, lengths.Values.Sum());
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(missing, parallel, async (blob, token) =>
        {
            var stream = await store.Blobs.OpenReadAsync(blob, 0, null, token).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                var content = new StreamContent(stream);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
                content.Headers.ContentLength = lengths[blob];
                var request = new ApiRequest(HttpMethod.Put, "/api/v1/blobs/{digest}").Path("digest", blob.Hex).Body(content);
                await registry.SendAsync<StoredBlob>(request, token).ConfigureAwait(false);
            }
            progress.Report((Interlocked.Add(ref sent, lengths[blob]), total));
        }).ConfigureAwait(false);
        return total;
    }
}
