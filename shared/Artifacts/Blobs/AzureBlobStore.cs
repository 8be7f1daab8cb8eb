using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Azure;
using Azure.Storage.Blobs;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// Blobs and records in one container of Azure Blob Storage: <c>blobs/ab/cdef...</c> and <c>records/folder/name</c>. A blob is
/// put whole, or staged in blocks and committed at the end, and only if its name is free; the service decides races.
/// </summary>
public sealed class AzureBlobStore(BlobContainerClient container) : ICollectableBlobStore
{
    private const int BlockBytes = 8 << 20, ParallelBlocks = 8;
    private const int LargeBlockBytes = 32 << 20, ParallelLargeBlocks = 4;
    private const long LargeBytes = 256L << 20;
    private const string WriterKey = "writer", TouchedKey = "touched";
    private static readonly TimeSpan IdentityLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan TouchEvery = TimeSpan.FromMinutes(10); // a request for each put again would be too much

    /// <summary>The container.</summary>
    public Uri Location => new UriBuilder(container.Uri) { Query = "" }.Uri; // a query could carry a signature

    /// <summary>
    /// Opens a container by connection string (made when missing), by a SAS URL of a container or an account, or by a URL
    /// without a signature, which is opened with the <see cref="ProcessIdentity"/>.
    /// </summary>
    /// <param name="connection">Connection string or URL.</param>
    /// <param name="containerName">Name of the container, unless the URL names one.</param>
    public static AzureBlobStore Open(string connection, string containerName) => Open(connection, containerName, new BlobClientOptions());

    internal static AzureBlobStore Open(string connection, string containerName, BlobClientOptions options)
    {
        if (!Uri.TryCreate(connection, UriKind.Absolute, out var url) || url.Scheme is not ("http" or "https"))
        {
            var container = new BlobContainerClient(connection, containerName, options);
            container.CreateIfNotExists();
            return new AzureBlobStore(container);
        }
        var place = new BlobUriBuilder(url);
        if (place.BlobContainerName is not { Length: > 0 })
            place.BlobContainerName = containerName;
        return new AzureBlobStore(
            place.Sas is null
                ? new BlobContainerClient(place.ToUri(), new ProcessIdentity(url, IdentityLimit), options)
                : new BlobContainerClient(place.ToUri(), options));
    }

    /// <inheritdoc/>
    public async Task<bool> ExistsAsync(Digest blob, CancellationToken cancellationToken) =>
        await BlobClient(blob).ExistsAsync(cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<long?> FindLengthAsync(Digest blob, CancellationToken cancellationToken)
    {
        try
        {
            var properties = await BlobClient(blob).GetPropertiesAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
            return properties.Value.ContentLength;
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task<BlobReceipt> PutAsync(Stream content, CancellationToken cancellationToken)
    {
        // The name of a blob is its digest, so a stream is read twice: once to hash it, once to send it.
        if (content.CanSeek)
            return await PutSeekableAsync(content, cancellationToken).ConfigureAwait(false);
        var spool = new FileStream(
            Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.None, BlockBytes, FileOptions.DeleteOnClose | FileOptions.Asynchronous);
        await using (spool.ConfigureAwait(false))
        {
            await content.CopyToAsync(spool, cancellationToken).ConfigureAwait(false);
            spool.Position = 0;
            return await PutSeekableAsync(spool, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public async Task<BlobReceipt> PutAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var digest = Digest.Of(content.Span);
        if (await IsKeptAsync(digest, content.Length, cancellationToken).ConfigureAwait(false))
            return new BlobReceipt(digest, content.Length, IsNew: false);
        var isNew = content.Length <= BlockBytes
            ? await CreateAsync(BlobClient(digest), content, cancellationToken).ConfigureAwait(false)
            : await StageAndCommitAsync(digest, Blocks(content), content.Length, cancellationToken).ConfigureAwait(false);
        return new BlobReceipt(digest, content.Length, isNew);
    }

    /// <inheritdoc/>
    public async Task<Stream> OpenReadAsync(Digest blob, long offset, long? length, CancellationToken cancellationToken)
    {
        if (length == 0 || offset < 0)
        {
            var size = await FindLengthAsync(blob, cancellationToken).ConfigureAwait(false) ?? throw Missing(blob);
            return offset >= 0 && offset <= size ? new MemoryStream() : throw BeyondEnd(blob, offset, length);
        }
        try
        {
            var range = offset == 0 && length is null ? default : new HttpRange(offset, length);
            var response = await BlobClient(blob).DownloadStreamingAsync(new BlobDownloadOptions { Range = range }, cancellationToken).ConfigureAwait(false);
            if (length is null || response.Value.Details.ContentLength == length)
                return response.Value.Content;
            response.Value.Dispose();
            throw BeyondEnd(blob, offset, length);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            throw Missing(blob);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.InvalidRange)
        {
            // The service refuses the empty range at the very end, too.
            return length is null && await FindLengthAsync(blob, cancellationToken).ConfigureAwait(false) == offset
                ? new MemoryStream()
                : throw BeyondEnd(blob, offset, length);
        }
    }

    /// <inheritdoc/>
    public unsafe void ReadExactly(Digest blob, long offset, Span<byte> destination)
    {
        if (destination.Length <= BlockBytes)
        {
            ReadRange(blob, offset, destination);
            return;
        }
        var length = destination.Length;
        fixed (byte* start = destination)
        {
            var address = (nint)start; // stays pinned until every part has come
            Parallel.For(0, (length + BlockBytes - 1) / BlockBytes, new ParallelOptions { MaxDegreeOfParallelism = ParallelBlocks }, part =>
            {
                var from = part * BlockBytes;
                ReadRange(blob, offset + from, new Span<byte>((byte*)address + from, Math.Min(BlockBytes, length - from)));
            });
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<BlobReceipt> ListAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (
            var item in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, "blobs/", cancellationToken: cancellationToken).ConfigureAwait(false))
            if (Digest.TryParse(item.Name["blobs/".Length..].Replace("/", "", StringComparison.Ordinal), out var digest))
                yield return new BlobReceipt(digest, item.Properties.ContentLength ?? 0, IsNew: false);
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<AgedBlob> ListAgedAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (
            var item in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, "blobs/", cancellationToken: cancellationToken).ConfigureAwait(false))
            if (Digest.TryParse(item.Name["blobs/".Length..].Replace("/", "", StringComparison.Ordinal), out var digest))
                yield return new AgedBlob(digest, item.Properties.ContentLength ?? 0, item.Properties.LastModified ?? DateTimeOffset.MaxValue);
    }

    /// <inheritdoc/>
    public async Task<bool> TouchAsync(Digest blob, CancellationToken cancellationToken)
    {
        try
        {
            var client = BlobClient(blob);
            var metadata = (await client.GetPropertiesAsync(cancellationToken: cancellationToken).ConfigureAwait(false)).Value.Metadata;
            metadata[TouchedKey] = Guid.NewGuid().ToString("n");
            await client.SetMetadataAsync(metadata, cancellationToken: cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public async Task<bool> DeleteAsync(Digest blob, DateTimeOffset unusedSince, CancellationToken cancellationToken)
    {
        try
        {
            // The service compares and deletes in one step.
            var conditions = new BlobRequestConditions { IfUnmodifiedSince = unusedSince };
            return await BlobClient(blob).DeleteIfExistsAsync(DeleteSnapshotsOption.IncludeSnapshots, conditions, cancellationToken).ConfigureAwait(false);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.ConditionNotMet)
        {
            return false;
        }
    }

    /// <inheritdoc/>
    public Task<bool> CreateRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        CreateAsync(RecordClient(name), content, cancellationToken);

    /// <inheritdoc/>
    public async Task WriteRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        await RecordClient(name).UploadAsync(BinaryData.FromBytes(content).ToStream(), new BlobUploadOptions(), cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task<byte[]?> ReadRecordAsync(string name, CancellationToken cancellationToken)
    {
        try
        {
            var response = await RecordClient(name).DownloadContentAsync(cancellationToken).ConfigureAwait(false);
            return response.Value.Content.ToArray();
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public async Task DeleteRecordAsync(string name, CancellationToken cancellationToken) =>
        await RecordClient(name).DeleteIfExistsAsync(cancellationToken: cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ListRecordsAsync(string prefix, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        await foreach (
            var item in container.GetBlobsAsync(BlobTraits.None, BlobStates.None, "records/" + prefix, cancellationToken: cancellationToken)
                .ConfigureAwait(false))
            yield return item.Name["records/".Length..];
    }

    private async Task<BlobReceipt> PutSeekableAsync(Stream content, CancellationToken cancellationToken)
    {
        var start = content.Position;
        var length = content.Length - start;
        if (length <= BlockBytes)
        {
            var bytes = new byte[length];
            await content.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
            return await PutAsync(bytes, cancellationToken).ConfigureAwait(false);
        }
        var digest = Digest.FromHash(await SHA256.HashDataAsync(content, cancellationToken).ConfigureAwait(false));
        if (await IsKeptAsync(digest, length, cancellationToken).ConfigureAwait(false))
            return new BlobReceipt(digest, length, IsNew: false);
        content.Position = start;
        return new BlobReceipt(
            digest, length,
            await StageAndCommitAsync(digest, Blocks(content, digest, BlockSize(length), cancellationToken), length, cancellationToken).ConfigureAwait(false));
    }

    /// <summary>Whether a blob is stored whole; its age is reset then, so that no collection deletes it before a manifest names it.</summary>
    private async Task<bool> IsKeptAsync(Digest digest, long length, CancellationToken cancellationToken)
    {
        try
        {
            var properties = (await BlobClient(digest).GetPropertiesAsync(cancellationToken: cancellationToken).ConfigureAwait(false)).Value;
            if (properties.ContentLength != length)
                return false;
            return properties.LastModified > TimeProvider.System.GetUtcNow() - TouchEvery || await TouchAsync(digest, cancellationToken).ConfigureAwait(false);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return false;
        }
    }

    private static int BlockSize(long length) => length >= LargeBytes ? LargeBlockBytes : BlockBytes;

    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> Blocks(ReadOnlyMemory<byte> content)
    {
        var size = BlockSize(content.Length);
        for (var offset = 0; offset < content.Length; offset += size)
            yield return content.Slice(offset, Math.Min(size, content.Length - offset));
        await Task.CompletedTask.ConfigureAwait(false);
    }

    /// <summary>Cuts a stream into blocks, and fails before the commit when the bytes are not those that were hashed.</summary>
    private static async IAsyncEnumerable<ReadOnlyMemory<byte>> Blocks(
        Stream content, Digest expected, int size, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        while (true)
        {
            var block = GC.AllocateUninitializedArray<byte>(size);
            var read = await content.ReadAtLeastAsync(block, size, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            if (read == 0)
                break;
            hash.AppendData(block, 0, read);
            yield return block.AsMemory(0, read);
        }
        if (Digest.FromHash(hash.GetHashAndReset()) != expected)
            throw new IOException("The content changed while it was being stored. Nothing was stored.");
    }

    private async Task<bool> StageAndCommitAsync(Digest digest, IAsyncEnumerable<ReadOnlyMemory<byte>> blocks, long length, CancellationToken cancellationToken)
    {
        var blob = BlobClient(digest);
        var writer = Guid.NewGuid(); // two writers of one blob must not mix their blocks
        var numbered = blocks.Select((block, number) => (Block: block, Number: number));
        var parallel = new ParallelOptions
        {
            MaxDegreeOfParallelism = length >= LargeBytes ? ParallelLargeBlocks : ParallelBlocks,
            CancellationToken = cancellationToken,
        };
        var count = 0;
        await Parallel.ForEachAsync(numbered, parallel, async (part, token) =>
        {
            Interlocked.Increment(ref count);
            await blob.StageBlockAsync(
                BlockId(writer, part.Number), BinaryData.FromBytes(part.Block).ToStream(), cancellationToken: token).ConfigureAwait(false);
        }).ConfigureAwait(false);
        try
        {
            var options = new CommitBlockListOptions { Conditions = new BlobRequestConditions { IfNoneMatch = ETag.All } };
            await blob.CommitBlockListAsync(Enumerable.Range(0, count).Select(i => BlockId(writer, i)), options, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RequestFailedException e) when (IsTaken(e))
        {
            return false;
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.InvalidBlockList)
        {
            // Another writer committed first, which discards everyone else's blocks.
            if (await FindLengthAsync(digest, cancellationToken).ConfigureAwait(false) == length)
                return false;
            throw;
        }
    }

    private static string BlockId(Guid writer, int number) => Convert.ToBase64String([.. writer.ToByteArray(), .. BitConverter.GetBytes(number)]);

    private static async Task<bool> CreateAsync(BlockBlobClient blob, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var writer = Guid.NewGuid().ToString("n");
        var options = new BlobUploadOptions
        {
            Conditions = new BlobRequestConditions { IfNoneMatch = ETag.All },
            Metadata = new Dictionary<string, string> { [WriterKey] = writer },
            TransferOptions = new Azure.Storage.StorageTransferOptions
            {
                InitialTransferSize = BlockBytes,
                MaximumTransferSize = BlockBytes,
                MaximumConcurrency = ParallelBlocks,
            },
        };
        try
        {
            await blob.UploadAsync(BinaryData.FromBytes(content).ToStream(), options, cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (RequestFailedException e) when (IsTaken(e))
        {
            // A repeat of our own request, whose first answer got lost, looks like another writer's blob.
            var properties = await blob.GetPropertiesAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
            return properties.Value.Metadata.TryGetValue(WriterKey, out var winner) && winner == writer;
        }
    }

    // A second create is answered with 409 by the service, a failed condition with 412.
    private static bool IsTaken(RequestFailedException e) =>
        e.Status == 409 && e.ErrorCode == BlobErrorCode.BlobAlreadyExists || e.Status == 412 && e.ErrorCode == BlobErrorCode.ConditionNotMet;

    private void ReadRange(Digest blob, long offset, Span<byte> destination)
    {
        if (destination.IsEmpty)
            return;
        try
        {
            using var response = BlobClient(blob).DownloadStreaming(new BlobDownloadOptions { Range = new HttpRange(offset, destination.Length) }).Value;
            if (response.Details.ContentLength != destination.Length)
                throw BeyondEnd(blob, offset, destination.Length);
            response.Content.ReadExactly(destination);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            throw Missing(blob);
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.InvalidRange)
        {
            throw BeyondEnd(blob, offset, destination.Length);
        }
    }

    private MissingBlobException Missing(Digest blob) => new(blob, $"The store at {Location} has no blob {blob.Hex}.");

    private static EndOfStreamException BeyondEnd(Digest blob, long offset, long? length) =>
        new($"The blob {blob.Short} ends before {(length is null ? $"byte {offset}" : $"{length} bytes from {offset} on")}, which were asked for.");

    private BlockBlobClient BlobClient(Digest blob) => container.GetBlockBlobClient($"blobs/{blob.Hex[..2]}/{blob.Hex[2..]}");

    private BlockBlobClient RecordClient(string name) => container.GetBlockBlobClient($"records/{RecordName.Check(name)}");
}
