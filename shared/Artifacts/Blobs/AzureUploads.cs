using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using Azure;
using Azure.Storage.Blobs.Models;
using Azure.Storage.Blobs.Specialized;
using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// Writes to a container: a blob is put whole, or staged in blocks and committed at the end, and only if its name is free; the
/// service decides races.
/// </summary>
internal sealed class AzureUploads(AzureNames names, AzureReads reads)
{
    private const int BlockBytes = 8 << 20, ParallelBlocks = 8;
    private const int LargeBlockBytes = 32 << 20, ParallelLargeBlocks = 4;
    private const long LargeBytes = 256L << 20;
    private const string WriterKey = "writer", TouchedKey = "touched";
    private static readonly TimeSpan TouchEvery = TimeSpan.FromMinutes(10); // a request for each put again would be too much

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

    public async Task<BlobReceipt> PutAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        var digest = Digest.Of(content.Span);
        if (await IsKeptAsync(digest, content.Length, cancellationToken).ConfigureAwait(false))
            return new BlobReceipt(digest, content.Length, IsNew: false);
        var isNew = content.Length <= BlockBytes
            ? await CreateAsync(names.Blob(digest), content, cancellationToken).ConfigureAwait(false)
            : await StageAndCommitAsync(digest, Blocks(content), content.Length, cancellationToken).ConfigureAwait(false);
        return new BlobReceipt(digest, content.Length, isNew);
    }

    public async Task<bool> TouchAsync(Digest blob, CancellationToken cancellationToken)
    {
        try
        {
            var client = names.Blob(blob);
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

    /// <summary>Puts bytes under a name unless it is taken; returns whether this call did.</summary>
    public static async Task<bool> CreateAsync(BlockBlobClient blob, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
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

    /// <summary>
    /// Whether a blob is stored in full length; its age is reset then, so that no collection deletes it before a manifest names it.
    /// One that was cut off is set aside. The bytes are not fetched to compare them: whoever reads them does.
    /// </summary>
    private async Task<bool> IsKeptAsync(Digest digest, long length, CancellationToken cancellationToken)
    {
        try
        {
            var properties = (await names.Blob(digest).GetPropertiesAsync(cancellationToken: cancellationToken).ConfigureAwait(false)).Value;
            if (properties.ContentLength != length)
                return await reads.IsIntactAsync(digest, cancellationToken).ConfigureAwait(false);
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
        var blob = names.Blob(digest);
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
            if (await reads.FindLengthAsync(digest, cancellationToken).ConfigureAwait(false) == length)
                return false;
            throw;
        }
    }

    private static string BlockId(Guid writer, int number) => Convert.ToBase64String([.. writer.ToByteArray(), .. BitConverter.GetBytes(number)]);

    // A second create is answered with 409 by the service, a failed condition with 412.
    private static bool IsTaken(RequestFailedException e) =>
        e.Status == 409 && e.ErrorCode == BlobErrorCode.BlobAlreadyExists || e.Status == 412 && e.ErrorCode == BlobErrorCode.ConditionNotMet;
}
