using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>Takes damaged records and blobs out of the way of new ones. Their bytes stay for whoever looks into it, as <c>damaged/...</c>.</summary>
public static class Damage
{
    /// <summary>What names of set-aside records begin with.</summary>
    public const string Prefix = "damaged/";

    /// <summary>Moves a record aside, <c>steps/KEY</c> to <c>damaged/steps-KEY</c>; returns its new name, or null when it is not there.</summary>
    public static async Task<string?> SetAsideRecordAsync(this ArtifactStore artifacts, string record, CancellationToken cancellationToken)
    {
        if (await artifacts.Blobs.ReadRecordAsync(record, cancellationToken).ConfigureAwait(false) is not { } bytes)
            return null;
        var aside = Prefix + record.Replace('/', '-');
        await artifacts.Blobs.WriteRecordAsync(aside, bytes, cancellationToken).ConfigureAwait(false);
        await artifacts.Blobs.DeleteRecordAsync(record, cancellationToken).ConfigureAwait(false);
        return aside;
    }

    /// <summary>Reads a blob to its end, which makes the store move it aside if its bytes do not match its digest; true when they do not.</summary>
    internal static async Task<bool> SetAsideDamagedBlobAsync(this ArtifactStore artifacts, Digest blob, CancellationToken cancellationToken)
    {
        try
        {
            var stream = await artifacts.Blobs.OpenReadAsync(blob, 0, null, cancellationToken).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
                await stream.CopyToAsync(Stream.Null, cancellationToken).ConfigureAwait(false);
            return false;
        }
        catch (DamagedBlobException)
        {
            return true;
        }
    }
}
