using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// Bytes by digest, and a few small named records beside them. Two backends: files and Azure Blob.
/// Half-written means invisible; every create is exclusive across processes and machines.
/// </summary>
public interface IBlobStore : IBlobSink
{
    /// <summary>Whether a blob exists, whole.</summary>
    Task<bool> ExistsAsync(Digest blob, CancellationToken cancellationToken);

    /// <summary>Length of a blob in bytes, or null when it does not exist.</summary>
    Task<long?> FindLengthAsync(Digest blob, CancellationToken cancellationToken);

    /// <summary>
    /// Opens a range of a blob for reading; <paramref name="length"/> null reads to the end. The first time that a process reads a
    /// blob, the whole of it is compared with its digest.
    /// </summary>
    /// <exception cref="MissingBlobException">No such blob.</exception>
    /// <exception cref="DamagedBlobException">The blob's bytes are not those of its digest; it counts as missing from now on.</exception>
    /// <exception cref="EndOfStreamException">The range reaches beyond the blob.</exception>
    Task<Stream> OpenReadAsync(Digest blob, long offset, long? length, CancellationToken cancellationToken);

    /// <summary>
    /// Fills <paramref name="destination"/> from a blob, starting at byte <paramref name="offset"/>; checked as by
    /// <see cref="OpenReadAsync"/>.
    /// </summary>
    /// <exception cref="MissingBlobException">No such blob.</exception>
    /// <exception cref="DamagedBlobException">The blob's bytes are not those of its digest; it counts as missing from now on.</exception>
    /// <exception cref="EndOfStreamException">The blob ends earlier.</exception>
    void ReadExactly(Digest blob, long offset, Span<byte> destination);

    /// <summary>Reads a blob whole and compares it with its digest, whatever was checked before.</summary>
    /// <param name="blob">The blob.</param>
    /// <param name="advance">Gets the number of bytes of each part that was read.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="MissingBlobException">No such blob.</exception>
    /// <exception cref="DamagedBlobException">The blob's bytes are not those of its digest; it counts as missing from now on.</exception>
    Task VerifyAsync(Digest blob, Action<long>? advance, CancellationToken cancellationToken);

    /// <summary>Every blob with its length.</summary>
    IAsyncEnumerable<BlobReceipt> ListAsync(CancellationToken cancellationToken);

    /// <summary>Creates a small named record unless the name is taken; returns whether this call created it. Names are <c>folder/name</c>.</summary>
    Task<bool> CreateRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Writes a small named record, replacing what was there, atomically.</summary>
    Task WriteRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken);

    /// <summary>Reads a small named record, or null.</summary>
    Task<byte[]?> ReadRecordAsync(string name, CancellationToken cancellationToken);

    /// <summary>Deletes a small named record if it exists.</summary>
    Task DeleteRecordAsync(string name, CancellationToken cancellationToken);

    /// <summary>Names of the records that start with a prefix.</summary>
    IAsyncEnumerable<string> ListRecordsAsync(string prefix, CancellationToken cancellationToken);

    /// <summary>Ends when the store has answered; throws as every use of it would when it refuses or is away.</summary>
    Task ProbeAsync(CancellationToken cancellationToken) => ReadRecordAsync("health/probe", cancellationToken);
}

/// <summary>Where new blobs go.</summary>
public interface IBlobSink
{
    /// <summary>Stores bytes under their own digest, hashing while writing. A blob that exists is not written again.</summary>
    Task<BlobReceipt> PutAsync(Stream content, CancellationToken cancellationToken);

    /// <summary>Stores bytes that are already in memory under their digest. A blob that exists is not written again.</summary>
    Task<BlobReceipt> PutAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken);
}

/// <summary>What a write did.</summary>
/// <param name="Digest">SHA-256 of the bytes.</param>
/// <param name="SizeBytes">Their length.</param>
/// <param name="IsNew">Whether bytes were added; false when the store had them.</param>
public sealed record BlobReceipt(Digest Digest, long SizeBytes, bool IsNew);

/// <summary>A blob that a manifest names does not exist in the store.</summary>
public class MissingBlobException(Digest blob, string message) : IOException(message)
{
    /// <summary>The missing blob.</summary>
    public Digest Blob { get; } = blob;
}
