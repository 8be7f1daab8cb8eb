using System.Buffers;
using System.Globalization;
using System.Security.Cryptography;
using Azure;
using Azure.Storage.Blobs.Models;
using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// Reads blobs of a container. A blob that is read whole for the first time is compared with its digest on the way; one that is
/// read by range is fetched whole once before. A damaged one is moved to <c>damaged/</c>.
/// </summary>
internal sealed class AzureReads(AzureNames names)
{
    private const int PartBytes = 8 << 20, ParallelParts = 8, ChunkBytes = 1 << 20;

    /// <summary>What was checked.</summary>
    public CheckedBlobs Checked { get; } = new();

    public async Task<long?> FindLengthAsync(Digest blob, CancellationToken cancellationToken)
    {
        try
        {
            var properties = await names.Blob(blob).GetPropertiesAsync(cancellationToken: cancellationToken).ConfigureAwait(false);
            return properties.Value.ContentLength;
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return null;
        }
    }

    public async Task<Stream> OpenAsync(Digest blob, long offset, long? length, CancellationToken cancellationToken)
    {
        if (length == 0 || offset < 0)
        {
            var size = await FindLengthAsync(blob, cancellationToken).ConfigureAwait(false) ?? throw Missing(blob);
            return offset >= 0 && offset <= size ? new MemoryStream() : throw BeyondEnd(blob, offset, length);
        }
        var isWhole = offset == 0 && length is null;
        if (!isWhole)
            await Checked.EnsureAsync(blob, b => Check(b, null, CancellationToken.None), cancellationToken).ConfigureAwait(false);
        try
        {
            var range = isWhole ? default : new HttpRange(offset, length);
            var response = await names.Blob(blob).DownloadStreamingAsync(new BlobDownloadOptions { Range = range }, cancellationToken).ConfigureAwait(false);
            if (isWhole && !Checked.Knows(blob))
                return new CheckedStream(response.Value.Content, response.Value.Details.ContentLength, digest => Conclude(blob, digest));
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

    public void ReadExactly(Digest blob, long offset, Span<byte> destination)
    {
        if (!Checked.Knows(blob) && (offset > 0 || Length(blob) != destination.Length))
            Checked.Ensure(blob, b => Check(b, null, CancellationToken.None));
        if (destination.Length <= PartBytes)
            ReadRange(blob, offset, destination);
        else
            ReadParts(blob, offset, destination);
        if (!Checked.Knows(blob))
            Conclude(blob, Digest.Of(destination));
    }

    /// <summary>Reads a blob whole and compares it with its digest.</summary>
    /// <exception cref="DamagedBlobException">It is damaged, and was set aside.</exception>
    public void Check(Digest blob, Action<long>? advance, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent(ChunkBytes);
        try
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            using var response = names.Blob(blob).DownloadStreaming(new BlobDownloadOptions(), cancellationToken).Value;
            for (int read; (read = response.Content.Read(buffer, 0, ChunkBytes)) > 0;)
            {
                cancellationToken.ThrowIfCancellationRequested();
                hash.AppendData(buffer, 0, read);
                advance?.Invoke(read);
            }
            Conclude(blob, Digest.FromHash(hash.GetHashAndReset()));
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            throw Missing(blob);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    /// <summary>Whether a blob's bytes are those of its digest. One that is damaged is set aside.</summary>
    public async Task<bool> IsIntactAsync(Digest blob, CancellationToken cancellationToken)
    {
        try
        {
            await Checked.EnsureAsync(blob, b => Check(b, null, CancellationToken.None), cancellationToken).ConfigureAwait(false);
            return true;
        }
        catch (MissingBlobException)
        {
            return false;
        }
    }

    private void Conclude(Digest blob, Digest found)
    {
        if (found != blob)
            throw DamagedBlobException.Found(blob, $"{names.Location}", SetAside(blob));
        Checked.Add(blob);
    }

    private string SetAside(Digest blob)
    {
        Checked.Forget(blob);
        try
        {
            var damaged = names.Blob(blob);
            using var response = damaged.DownloadStreaming().Value;
            names.Aside(blob).Upload(response.Content, new BlobUploadOptions());
            // Another writer may have put an intact one in its place meanwhile.
            damaged.DeleteIfExists(conditions: new BlobRequestConditions { IfMatch = response.Details.ETag });
            return $"It was set aside as {AzureNames.Damaged}{blob.Hex} in the container.";
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            return "Another process set it aside.";
        }
        catch (RequestFailedException e)
        {
            return $"It could not be set aside: {e.Status} {e.ErrorCode}.";
        }
    }

    private long Length(Digest blob)
    {
        try
        {
            return names.Blob(blob).GetProperties().Value.ContentLength;
        }
        catch (RequestFailedException e) when (e.ErrorCode == BlobErrorCode.BlobNotFound)
        {
            throw Missing(blob);
        }
    }

    private unsafe void ReadParts(Digest blob, long offset, Span<byte> destination)
    {
        var length = destination.Length;
        fixed (byte* start = destination)
        {
            var address = (nint)start; // stays pinned until every part has come
            Parallel.For(0, (int)(((long)length + PartBytes - 1) / PartBytes), new ParallelOptions { MaxDegreeOfParallelism = ParallelParts }, part =>
            {
                var from = (long)part * PartBytes;
                ReadRange(blob, offset + from, new Span<byte>((byte*)address + from, (int)Math.Min(PartBytes, length - from)));
            });
        }
    }

    private void ReadRange(Digest blob, long offset, Span<byte> destination)
    {
        if (destination.IsEmpty)
            return;
        try
        {
            using var response = names.Blob(blob).DownloadStreaming(new BlobDownloadOptions { Range = new HttpRange(offset, destination.Length) }).Value;
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

    private MissingBlobException Missing(Digest blob) =>
        names.Aside(blob).Exists()
            ? DamagedBlobException.FoundEarlier(blob, $"{names.Location}", AzureNames.Damaged + blob.Hex)
            : new MissingBlobException(blob, $"The store at {names.Location} has no blob {blob.Hex}.");

    private static EndOfStreamException BeyondEnd(Digest blob, long offset, long? length) =>
        new(string.Create(
            CultureInfo.InvariantCulture,
            $"The blob {blob.Short} ends before {(length is null ? $"byte {offset}" : $"{length} bytes from {offset} on")}, which were asked for."));
}
