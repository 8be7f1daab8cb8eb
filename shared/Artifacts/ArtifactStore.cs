using System.Text.Json;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.FaultInjection;

namespace Espalier.Artifacts;

/// <summary>Artifacts on top of a blob store: manifests, and the one commit point of each step.</summary>
public sealed class ArtifactStore(IBlobStore blobs)
{
    private const long MaxManifestBytes = 256L << 20;

    /// <summary>The blobs below.</summary>
    public IBlobStore Blobs { get; } = blobs;

    /// <summary>Publishes a manifest; call it last, when every blob it names is stored. Equal content gives the same root anywhere.</summary>
    public async Task<ManifestRef> PublishAsync(Manifest manifest, CancellationToken cancellationToken)
    {
        Faults.Reach(FaultPoints.ManifestPublish);
        var bytes = CanonicalJson.Serialize(manifest);
        var receipt = await Blobs.PutAsync(bytes, cancellationToken).ConfigureAwait(false);
        // A store takes a blob of the right length for the blob; a damaged manifest must not hide the one that was made anew.
        if (!receipt.IsNew && await this.SetAsideDamagedBlobAsync(receipt.Digest, cancellationToken).ConfigureAwait(false))
            receipt = await Blobs.PutAsync(bytes, cancellationToken).ConfigureAwait(false);
        Faults.Reach(FaultPoints.ManifestPublished);
        return new ManifestRef(manifest.Kind, receipt.Digest, manifest.SizeBytes);
    }

    /// <summary>Reads a manifest and checks that the bytes match its root.</summary>
    /// <exception cref="MissingBlobException">The store has no such manifest.</exception>
    /// <exception cref="InvalidDataException">The blob is damaged, or is not a manifest.</exception>
    public async Task<Manifest> ReadAsync(Digest root, CancellationToken cancellationToken)
    {
        var bytes = await ReadBytesAsync(root, cancellationToken).ConfigureAwait(false);
        if (Digest.Of(bytes) != root)
            throw new InvalidDataException($"The manifest {root.Hex} is damaged: its bytes do not match its digest. {DamagedBlobException.Remedy}");
        try
        {
            return JsonSerializer.Deserialize<Manifest>(bytes, WireJson.Options) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{root.Short} is not a manifest: {e.Message}", e);
        }
    }

    /// <summary>
    /// Commits a step's result: the first caller wins, and every caller reads back the winner. A record that is damaged, or that
    /// names what the store no longer has whole, does not win: it is set aside and replaced.
    /// </summary>
    public async Task<StepCommit> CommitStepAsync(Digest stepKey, StepCommit commit, CancellationToken cancellationToken)
    {
        var bytes = CanonicalJson.Serialize(commit);
        var record = StepRecords.Of(stepKey);
        if (!await Blobs.CreateRecordAsync(record, bytes, cancellationToken).ConfigureAwait(false)
            && (await this.InspectStepAsync(stepKey, cancellationToken).ConfigureAwait(false)).Damage is not null)
        {
            await this.SetAsideRecordAsync(record, cancellationToken).ConfigureAwait(false);
            await Blobs.CreateRecordAsync(record, bytes, cancellationToken).ConfigureAwait(false);
        }
        return await FindStepAsync(stepKey, cancellationToken).ConfigureAwait(false)
            ?? throw new IOException($"The commit of step {stepKey.Short} disappeared from the store while it was read back.");
    }

    /// <summary>The committed result of a step key; null when there is none, or when its record cannot be read as one.</summary>
    public async Task<StepCommit?> FindStepAsync(Digest stepKey, CancellationToken cancellationToken) =>
        (await ReadStepAsync(stepKey, cancellationToken).ConfigureAwait(false)).Commit;

    /// <summary>The record of a step key as it is; what it names is not looked at.</summary>
    internal async Task<StepFinding> ReadStepAsync(Digest stepKey, CancellationToken cancellationToken) =>
        StepRecords.Read(stepKey, await Blobs.ReadRecordAsync(StepRecords.Of(stepKey), cancellationToken).ConfigureAwait(false));

    /// <summary>Forgets the committed result of a step key, so that the work is done again. What it made stays in the store.</summary>
    public Task ForgetStepAsync(Digest stepKey, CancellationToken cancellationToken) =>
        Blobs.DeleteRecordAsync(StepRecords.Of(stepKey), cancellationToken);

    private async Task<byte[]> ReadBytesAsync(Digest root, CancellationToken cancellationToken)
    {
        var length = await Blobs.FindLengthAsync(root, cancellationToken).ConfigureAwait(false);
        if (length > MaxManifestBytes)
            throw new InvalidDataException($"{root.Short} is not a manifest: {length} bytes; manifests have at most {MaxManifestBytes}.");
        try
        {
            var stream = await Blobs.OpenReadAsync(root, 0, null, cancellationToken).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                var bytes = new MemoryStream((int)(length ?? 0));
                await stream.CopyToAsync(bytes, cancellationToken).ConfigureAwait(false);
                return bytes.ToArray();
            }
        }
        catch (DamagedBlobException e)
        {
            throw new InvalidDataException($"The manifest {root.Hex} is damaged. {e.Message}", e);
        }
        catch (MissingBlobException)
        {
            throw new MissingBlobException(root, $"The store has no artifact {root.Hex}.");
        }
    }
}

/// <summary>What a step key stands for: its outputs and metrics. A deterministic function of the key, so it carries no clock and no host.</summary>
public sealed record StepCommit
{
    /// <summary>Artifacts by output name.</summary>
    public required IReadOnlyDictionary<string, ManifestRef> Outputs { get; init; }

    /// <summary>Metrics by name.</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    /// <summary>What whoever uses the outputs must know, in sentences.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];
}

/// <summary>What the store has of a step key.</summary>
/// <param name="Commit">The committed result; null when there is none that can be used.</param>
/// <param name="Damage">What is wrong with the one that is there; null when nothing is.</param>
public sealed record StepFinding(StepCommit? Commit, string? Damage);
