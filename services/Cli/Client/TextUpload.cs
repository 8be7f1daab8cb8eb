using System.Net.Http.Headers;
using System.Security.Cryptography;
using Espalier.Artifacts.Uploads;
using Espalier.Contracts;
using Espalier.Datasets.Sources;
using Espalier.Registry.Api;

namespace Espalier.Cli.Client;

/// <summary>
/// Sends the user's own text to a platform: nothing that it has already, and after a break what is still missing. A file is hashed before
/// it is sent, and the platform hashes what it gets, so a file that changes meanwhile is refused.
/// </summary>
internal sealed class TextUpload(RegistryConnection registry)
{
    private const int AtOnce = 4, AskedAtOnce = 5000;

    /// <summary>Sends a file or folder; returns how pipelines name it now and how many bytes were sent.</summary>
    /// <param name="isFolder">Whether it is a folder.</param>
    /// <param name="path">Its full path.</param>
    /// <param name="progress">Takes bytes sent and bytes to send.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="UserInputException">It cannot be read, is too large for the platform, or changed meanwhile.</exception>
    public async Task<(UploadReference Reference, long Sent)> SendAsync(
        bool isFolder, string path, IProgress<(long, long)> progress, CancellationToken cancellationToken)
    {
        var limits = await registry.Api.FindUploadLimitsAsync(cancellationToken).ConfigureAwait(false);
        var files = OwnFiles.List(isFolder, path);
        limits.Check(path, files.Sum(f => new FileInfo(f.File).Length), files.Count);
        var listing = new UploadListing { IsFolder = isFolder, Files = [.. files.Select(f => Describe(f.File, f.Name, cancellationToken))] };
        listing.Check();
        var reference = new UploadReference(listing.FindFingerprint(), UploadReference.NameOf(path));
        if ((await registry.Api.FindUploadAsync(reference.Fingerprint.Hex, cancellationToken).ConfigureAwait(false)).Present)
            return (reference, 0);
        var sent = await SendPartsAsync(files, listing, progress, cancellationToken).ConfigureAwait(false);
        var request = new ApiRequest(HttpMethod.Post, "/api/v1/uploads").Body(listing);
        await registry.SendAsync<PublishedUpload>(request, cancellationToken).ConfigureAwait(false);
        return (reference, sent);
    }

    private static UploadedFile Describe(string file, string name, CancellationToken cancellationToken)
    {
        using var stream = OwnFiles.Open(file);
        using var whole = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        using var part = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var (parts, length, buffer) = (new List<Digest>(), 0L, new byte[1 << 20]);
        for (int read; (read = stream.ReadAtLeast(buffer, buffer.Length, throwOnEndOfStream: false)) > 0;)
        {
            cancellationToken.ThrowIfCancellationRequested();
            whole.AppendData(buffer, 0, read);
            part.AppendData(buffer, 0, read);
            length += read;
            if (length % UploadListing.PartBytes == 0)
                parts.Add(DigestOf(part));
        }
        if (length % UploadListing.PartBytes != 0 || length == 0)
            parts.Add(DigestOf(part));
        return new UploadedFile(name, DigestOf(whole), length, parts);
    }

    private async Task<long> SendPartsAsync(
        IReadOnlyList<(string File, string Name)> files, UploadListing listing, IProgress<(long, long)> progress, CancellationToken cancellationToken)
    {
        var parts = listing.Files.SelectMany((file, i) => file.Parts.Select((digest, p) => new Part(files[i].File, digest, p, LengthOf(file, p))))
            .DistinctBy(p => p.Digest).ToDictionary(p => p.Digest);
        var missing = new List<Part>();
        foreach (var asked in parts.Keys.Chunk(AskedAtOnce))
        {
            var answer = await registry.Api.FindMissingBlobsAsync(new BlobDigests(asked), cancellationToken).ConfigureAwait(false);
            missing.AddRange(answer.Missing.Where(parts.ContainsKey).Select(digest => parts[digest]));
        }
        var (sent, total) = (0L, missing.Sum(p => (long)p.Length));
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(missing, parallel, async (part, token) =>
        {
            await SendAsync(part, token).ConfigureAwait(false);
            progress.Report((Interlocked.Add(ref sent, part.Length), total));
        }).ConfigureAwait(false);
        return total;
    }

    private async Task SendAsync(Part part, CancellationToken cancellationToken)
    {
        var content = new ByteArrayContent(await ReadAsync(part, cancellationToken).ConfigureAwait(false));
        content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
        var request = new ApiRequest(HttpMethod.Put, "/api/v1/blobs/{digest}").Path("digest", part.Digest.Hex).Body(content);
        await registry.SendAsync<StoredBlob>(request, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<byte[]> ReadAsync(Part part, CancellationToken cancellationToken)
    {
        var bytes = new byte[part.Length];
        try
        {
            var stream = new FileStream(part.File, FileMode.Open, FileAccess.Read, FileShare.ReadWrite, bufferSize: 0, useAsync: true);
            await using (stream.ConfigureAwait(false))
            {
                stream.Seek((long)part.Index * UploadListing.PartBytes, SeekOrigin.Begin);
                var read = await stream.ReadAtLeastAsync(bytes, bytes.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
                return read == bytes.Length && Digest.Of(bytes) == part.Digest ? bytes : throw Changed(part.File);
            }
        }
        catch (Exception e) when (e is FileNotFoundException or DirectoryNotFoundException or UnauthorizedAccessException)
        {
            throw Changed(part.File, e); // it was read before
        }
    }

    private static UserInputException Changed(string file, Exception? cause = null) =>
        new($"{file} changed while it was uploaded: submit again once nobody writes to it.", cause!);

    private static int LengthOf(UploadedFile file, int part) =>
        (int)Math.Min(UploadListing.PartBytes, file.SizeBytes - (long)part * UploadListing.PartBytes);

    private static Digest DigestOf(IncrementalHash hash) => Digest.Parse(Convert.ToHexStringLower(hash.GetHashAndReset()));

    private sealed record Part(string File, Digest Digest, int Index, int Length);
}
