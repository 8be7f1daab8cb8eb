using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Registry.Signing;

/// <summary>What a verification found.</summary>
public sealed record Verification
{
    /// <summary>Model.</summary>
    public required string Model { get; init; }

    /// <summary>Version.</summary>
    public required int Version { get; init; }

    /// <summary>Manifest root.</summary>
    public required Digest Root { get; init; }

    /// <summary>Whether every byte is what the manifest says and every signature fits.</summary>
    public required bool Ok { get; init; }

    /// <summary>Tensors and files that were read and compared with their digests.</summary>
    public required int Checked { get; init; }

    /// <summary>Their bytes.</summary>
    public required long Bytes { get; init; }

    /// <summary>Signatures.</summary>
    public required int Signatures { get; init; }

    /// <summary>Those of them by keys that are trusted here.</summary>
    public required int Trusted { get; init; }

    /// <summary>What is wrong.</summary>
    public string? Problem { get; init; }
}

/// <summary>Reads a version's bytes again and checks its signatures.</summary>
public sealed class VersionVerifier(Signatures signatures)
{
    /// <summary>Verifies a version.</summary>
    public async Task<Verification> VerifyAsync(ArtifactStore store, ModelVersion version, CancellationToken cancellationToken)
    {
        var kept = await signatures.ListAsync(version.Root, cancellationToken).ConfigureAwait(false);
        var problem = kept.FirstOrDefault(s => !Signing.Signatures.IsValid(version.Root, s)) is { } wrong
            ? $"The signature of key {wrong.KeyId} does not fit the root."
            : null;
        var (count, bytes) = (0, 0L);
        try
        {
            var manifest = await store.ReadAsync(version.Root, cancellationToken).ConfigureAwait(false);
            await store.VerifyAsync(version.Root, cancellationToken).ConfigureAwait(false);
            (count, bytes) = (manifest.Files.Count + manifest.Tensors.Count, manifest.SizeBytes);
        }
        catch (Exception e) when (e is MissingBlobException or InvalidDataException)
        {
            problem = e.Message;
        }
        return new Verification
        {
            Model = version.Model, Version = version.Version, Root = version.Root, Ok = problem is null, Checked = count, Bytes = bytes,
            Signatures = kept.Count, Trusted = kept.Count(s => s.TrustedAs is not null), Problem = problem,
        };
    }
}
