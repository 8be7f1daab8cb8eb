using System.Security.Cryptography;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>Takes damaged records and blobs out of the way of new ones. Their bytes stay for whoever looks into it, as records <c>damaged/...</c>.</summary>
public static class Damage
{
    /// <summary>What names of set-aside records begin with.</summary>
    public const string Prefix = "damaged/";

    /// <summary>Moves a record aside; returns its new name, or null when it is not there.</summary>
    public static async Task<string?> SetAsideRecordAsync(this ArtifactStore artifacts, string record, CancellationToken cancellationToken)
    {
        if (await artifacts.Blobs.ReadRecordAsync(record, cancellationToken).ConfigureAwait(false) is not { } bytes)
            return null;
        var aside = Prefix + record;
        await artifacts.Blobs.WriteRecordAsync(aside, bytes, cancellationToken).ConfigureAwait(false);
        await artifacts.Blobs.DeleteRecordAsync(record, cancellationToken).ConfigureAwait(false);
        return aside;
    }

    /// <summary>Moves a blob aside whose bytes do not match its digest; false when they do, or when there is no such blob.</summary>
    /// <exception cref="InvalidDataException">It is damaged, and the store cannot delete it.</exception>
    internal static async Task<bool> SetAsideDamagedBlobAsync(this ArtifactStore artifacts, Digest blob, CancellationToken cancellationToken)
    {
        if (await artifacts.Blobs.FindLengthAsync(blob, cancellationToken).ConfigureAwait(false) is not { } length)
            return false;
        var bytes = new byte[length];
        artifacts.Blobs.ReadExactly(blob, 0, bytes);
        if (Digest.FromHash(SHA256.HashData(bytes)) == blob)
            return false;
        if (artifacts.Blobs is not ICollectableBlobStore store)
            throw new InvalidDataException($"The blob {blob.Hex} is damaged: its bytes do not match its digest, and this store cannot delete it.");
        await artifacts.Blobs.WriteRecordAsync($"{Prefix}blobs/{blob.Hex}", bytes, cancellationToken).ConfigureAwait(false);
        await store.DeleteAsync(blob, TimeProvider.System.GetUtcNow().AddDays(1), cancellationToken).ConfigureAwait(false);
        return true;
    }
}
