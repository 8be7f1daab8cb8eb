using Espalier.Artifacts;
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

    /// <summary>What is wrong, in the version or in what it was made from.</summary>
    public string? Problem { get; init; }

    /// <summary>Everything that the version was made from, parents first, and whether its bytes are what its manifest says.</summary>
    public required IReadOnlyList<AncestorCheck> Ancestors { get; init; }
}

/// <summary>Reads the bytes of a version and of its ancestors again, and checks its signatures.</summary>
public sealed class VersionVerifier(Signatures signatures)
{
    /// <summary>Verifies a version.</summary>
    /// <param name="store">Where its bytes are.</param>
    /// <param name="version">The version.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <param name="progress">Gets bytes done and bytes in all.</param>
    public async Task<Verification> VerifyAsync(
        ArtifactStore store, ModelVersion version, CancellationToken cancellationToken, IProgress<(long Done, long Total)>? progress = null)
    {
        var kept = await signatures.ListAsync(version.Root, cancellationToken).ConfigureAwait(false);
        var found = await store.VerifyWithAncestorsAsync(version.Root, progress, cancellationToken).ConfigureAwait(false);
        var (own, ancestors) = (found[0], found.Skip(1).ToList());
        var problem = kept.FirstOrDefault(s => !Signing.Signatures.IsValid(version.Root, s)) is { } wrong
            ? $"The signature of key {wrong.KeyId} does not match the root."
            : own.Problem ?? ancestors.Select(a => a.Problem).FirstOrDefault(p => p is not null);
        return new Verification
        {
            Model = version.Model,
            Version = version.Version,
            Root = version.Root,
            Ok = problem is null,
            Checked = own.Ok ? own.Checked : 0,
            Bytes = own.Ok ? own.Bytes : 0,
            Signatures = kept.Count,
            Trusted = kept.Count(s => s.TrustedAs is not null),
            Problem = problem,
            Ancestors = ancestors,
        };
    }
}
