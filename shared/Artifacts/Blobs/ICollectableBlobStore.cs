using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>A store whose garbage can be collected: it knows when a blob was last put, and deletes only blobs not put again since.</summary>
public interface ICollectableBlobStore : IBlobStore
{
    /// <summary>Every blob with its length and the time when it was last put, also when the bytes were there already.</summary>
    IAsyncEnumerable<AgedBlob> ListAgedAsync(CancellationToken cancellationToken);

    /// <summary>Resets the age of a blob that will be named soon; false when it does not exist.</summary>
    Task<bool> TouchAsync(Digest blob, CancellationToken cancellationToken);

    /// <summary>
    /// Deletes a blob unless it was put at or after <paramref name="unusedSince"/>; returns whether this call deleted it.
    /// Safe against a put at the same moment.
    /// </summary>
    Task<bool> DeleteAsync(Digest blob, DateTimeOffset unusedSince, CancellationToken cancellationToken);
}

/// <summary>A blob and its age.</summary>
/// <param name="Digest">SHA-256 of the bytes.</param>
/// <param name="SizeBytes">Their length.</param>
/// <param name="LastPut">When it was last put.</param>
public sealed record AgedBlob(Digest Digest, long SizeBytes, DateTimeOffset LastPut);
