using System.Security.Cryptography;
using System.Text.Json;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts.Uploads;

/// <summary>
/// Files that users uploaded, by the digest of their content. Parts are blobs; a record names the listing, once everything was found to be
/// there, so that a half upload is invisible.
/// </summary>
public sealed class UploadStore(IBlobStore blobs, TimeProvider time)
{
    /// <summary>What names of records begin with.</summary>
    public const string RecordPrefix = "uploads/";

    /// <summary>How long an upload is kept after it was last used: longer than a step may wait for a worker.</summary>
    public static readonly TimeSpan Kept = TimeSpan.FromDays(30);

    private const long LongestListing = 128L << 20;
    private const int Buffer = 1 << 20;

    /// <summary>Whether it is here; notes that it is used, so that it stays.</summary>
    public async Task<bool> UseAsync(Digest fingerprint, CancellationToken cancellationToken)
    {
        if (await ReadAsync(fingerprint, cancellationToken).ConfigureAwait(false) is not { } record
            || !await blobs.ExistsAsync(record.Listing, cancellationToken).ConfigureAwait(false))
            return false;
        await WriteAsync(fingerprint, record.Listing, cancellationToken).ConfigureAwait(false);
        return true;
    }

    /// <summary>Takes a listing whose parts are stored; its digests are computed here, never believed.</summary>
    /// <returns>Its fingerprint.</returns>
    /// <exception cref="UserInputException">It contradicts itself, a part is missing, or the parts of a file are not that file.</exception>
    public async Task<Digest> PublishAsync(UploadListing listing, CancellationToken cancellationToken)
    {
        listing.Check();
        foreach (var file in listing.Files)
            await CheckAsync(file, cancellationToken).ConfigureAwait(false);
        var fingerprint = listing.FindFingerprint();
        var receipt = await blobs.PutAsync(CanonicalJson.Serialize(listing), cancellationToken).ConfigureAwait(false);
        await WriteAsync(fingerprint, receipt.Digest, cancellationToken).ConfigureAwait(false);
        return fingerprint;
    }

    /// <summary>The listing of an upload, or null when there is none.</summary>
    public async Task<UploadListing?> FindAsync(Digest fingerprint, CancellationToken cancellationToken)
    {
        if (await ReadAsync(fingerprint, cancellationToken).ConfigureAwait(false) is not { } record
            || await blobs.FindLengthAsync(record.Listing, cancellationToken).ConfigureAwait(false) is not (> 0 and <= LongestListing and var length))
            return null;
        var bytes = new byte[length];
        blobs.ReadExactly(record.Listing, 0, bytes);
        var listing = JsonSerializer.Deserialize<UploadListing>(bytes, WireJson.Options);
        listing?.Check();
        return listing;
    }

    /// <summary>Writes what was uploaded below a folder, under the name that the reference has.</summary>
    /// <returns>The path of the file or folder.</returns>
    /// <exception cref="UserInputException">It is not here any more.</exception>
    public async Task<string> RestoreAsync(UploadReference reference, DirectoryInfo folder, CancellationToken cancellationToken)
    {
        var listing = await FindAsync(reference.Fingerprint, cancellationToken).ConfigureAwait(false) ?? throw Missing(reference);
        var path = Path.Combine(folder.FullName, reference.Name);
        try
        {
            foreach (var file in listing.Files)
            {
                var target = listing.IsFolder ? Path.Combine(path, EntryPath.Check(file.Path)) : path;
                Directory.CreateDirectory(Path.GetDirectoryName(target)!);
                await WriteAsync(file, target, cancellationToken).ConfigureAwait(false);
            }
        }
        catch (MissingBlobException e)
        {
            throw Missing(reference, e);
        }
        return path;
    }

    /// <summary>Listings and parts that uploads need which were used lately; what was not is given up.</summary>
    /// <param name="isDry">Only looks.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<IReadOnlyList<Digest>> ListNeededAsync(bool isDry, CancellationToken cancellationToken)
    {
        var needed = new List<Digest>();
        var names = await blobs.ListRecordsAsync(RecordPrefix, cancellationToken).ToListAsync(cancellationToken).ConfigureAwait(false);
        foreach (var name in names)
        {
            if (!Digest.TryParse(name[RecordPrefix.Length..], out var fingerprint))
                continue;
            var record = await ReadAsync(fingerprint, cancellationToken).ConfigureAwait(false);
            if (record is null || time.GetUtcNow() - record.Used > Kept)
            {
                if (!isDry)
                    await blobs.DeleteRecordAsync(name, cancellationToken).ConfigureAwait(false);
                continue;
            }
            needed.Add(record.Listing);
            if (await FindAsync(fingerprint, cancellationToken).ConfigureAwait(false) is { } listing)
                needed.AddRange(listing.Files.SelectMany(f => f.Parts));
        }
        return needed;
    }

    /// <summary>What is said where an upload is not here.</summary>
    public static UserInputException Missing(UploadReference reference, Exception? cause = null) => new(
        $"'{reference.Name}' is not on this platform (any more): submit the file again from the machine that has it, by espalier submit, which uploads it.",
        cause!);

    private async Task CheckAsync(UploadedFile file, CancellationToken cancellationToken)
    {
        var left = file.SizeBytes;
        foreach (var part in file.Parts)
        {
            var expected = Math.Min(left, UploadListing.PartBytes);
            if (await blobs.FindLengthAsync(part, cancellationToken).ConfigureAwait(false) != expected)
                throw new UserInputException($"A part of '{file.Path}' is not stored, or has another length than the upload says; send it first.");
            left -= expected;
        }
        if (file.Parts.Count == 1)
            return; // the one part is the file, by its digest
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        await CopyAsync(file, hash, null, cancellationToken).ConfigureAwait(false);
        if (Convert.ToHexStringLower(hash.GetHashAndReset()) != file.Digest.Hex)
            throw new UserInputException($"The parts of '{file.Path}' do not make the file that the upload says: it changed while it was sent. Send it again.");
    }

    private async Task WriteAsync(UploadedFile file, string target, CancellationToken cancellationToken)
    {
        var stream = new FileStream(target, FileMode.CreateNew, FileAccess.Write, FileShare.None, Buffer, useAsync: true);
        await using (stream.ConfigureAwait(false))
            await CopyAsync(file, null, stream, cancellationToken).ConfigureAwait(false);
    }

    // Every part is compared with its digest when it is read, and the parts with the file when it was taken.
    private async Task CopyAsync(UploadedFile file, IncrementalHash? hash, Stream? target, CancellationToken cancellationToken)
    {
        var buffer = new byte[Buffer];
        foreach (var part in file.Parts)
        {
            var content = await blobs.OpenReadAsync(part, 0, null, cancellationToken).ConfigureAwait(false);
            await using (content.ConfigureAwait(false))
            {
                for (int read; (read = await content.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
                {
                    hash?.AppendData(buffer, 0, read);
                    if (target is not null)
                        await target.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                }
            }
        }
    }

    private async Task<UploadRecord?> ReadAsync(Digest fingerprint, CancellationToken cancellationToken)
    {
        var bytes = await blobs.ReadRecordAsync(RecordPrefix + fingerprint.Hex, cancellationToken).ConfigureAwait(false);
        try
        {
            return bytes is null ? null : JsonSerializer.Deserialize<UploadRecord>(bytes, WireJson.Options);
        }
        catch (JsonException)
        {
            return null; // damaged: it has to be sent again
        }
    }

    private Task WriteAsync(Digest fingerprint, Digest listing, CancellationToken cancellationToken) => blobs.WriteRecordAsync(
        RecordPrefix + fingerprint.Hex, JsonSerializer.SerializeToUtf8Bytes(new UploadRecord(listing, time.GetUtcNow()), WireJson.Options), cancellationToken);

    private sealed record UploadRecord(Digest Listing, DateTimeOffset Used);
}
