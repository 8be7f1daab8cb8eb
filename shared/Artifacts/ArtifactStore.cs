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
        var receipt = await Blobs.PutAsync(CanonicalJson.Serialize(manifest), cancellationToken).ConfigureAwait(false);
        Faults.Reach(FaultPoints.ManifestPublished);
        return new ManifestRef(manifest.Kind, receipt.Digest, manifest.SizeBytes);
    }

    /// <summary>Reads a manifest and checks that the bytes match its root.</summary>
    /// <exception cref="MissingBlobException">The store has no such manifest.</exception>
    /// <exception cref="InvalidDataException">The blob is damaged, or is not a manifest.</exception>
    public async Task<Manifest> ReadAsync(Digest root, CancellationToken cancellationToken)
    {
        var length = await Blobs.FindLengthAsync(root, cancellationToken).ConfigureAwait(false)
            ?? throw new MissingBlobException(root, $"The store has no artifact {root.Hex}.");
        if (length > MaxManifestBytes)
            throw new InvalidDataException($"{root.Short} is not a manifest: {length} bytes; manifests have at most {MaxManifestBytes}.");
        var bytes = new byte[length];
        var stream = await Blobs.OpenReadAsync(root, 0, length, cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
            await stream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
        if (Digest.Of(bytes) != root)
            throw new InvalidDataException($"The manifest {root.Short} is damaged: its bytes do not match its digest.");
        try
        {
            return JsonSerializer.Deserialize<Manifest>(bytes, WireJson.Options) ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{root.Short} is not a manifest: {e.Message}", e);
        }
    }

    /// <summary>Commits a step's result: the first caller wins, and every caller reads back the winner.</summary>
    public async Task<StepCommit> CommitStepAsync(Digest stepKey, StepCommit commit, CancellationToken cancellationToken)
    {
        await Blobs.CreateRecordAsync(StepRecord(stepKey), CanonicalJson.Serialize(commit), cancellationToken).ConfigureAwait(false);
        return await FindStepAsync(stepKey, cancellationToken).ConfigureAwait(false)
            ?? throw new IOException($"The commit of step {stepKey.Short} disappeared from the store while it was read back.");
    }

    /// <summary>The committed result of a step key, or null.</summary>
    public async Task<StepCommit?> FindStepAsync(Digest stepKey, CancellationToken cancellationToken)
    {
        var bytes = await Blobs.ReadRecordAsync(StepRecord(stepKey), cancellationToken).ConfigureAwait(false);
        return bytes is null ? null : JsonSerializer.Deserialize<StepCommit>(bytes, WireJson.Options);
    }

    /// <summary>Forgets the committed result of a step key, so that the work is done again. What it made stays in the store.</summary>
    public Task ForgetStepAsync(Digest stepKey, CancellationToken cancellationToken) => Blobs.DeleteRecordAsync(StepRecord(stepKey), cancellationToken);

    private static string StepRecord(Digest stepKey) => $"steps/{stepKey.Hex}";
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
