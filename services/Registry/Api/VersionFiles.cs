using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Registry.Cards;

namespace Espalier.Registry.Api;

/// <summary>The files of versions. What a manifest lists never changes, so the newest listings stay in memory.</summary>
internal sealed class VersionFiles(ArtifactStore artifacts)
{
    /// <summary>Path of the card.</summary>
    public const string Card = "README.md";

    private const int MostKept = 32, MostDigests = 10_000;
    private readonly ConcurrentDictionary<Digest, VirtualDirectory> _kept = new();
    private readonly ConcurrentDictionary<Digest, Digest> _digests = new();
    private readonly SemaphoreSlim _reading = new(1);

    /// <summary>The directory of a version with its card as README.md; null when the store does not have the manifest.</summary>
    public async Task<VirtualDirectory?> FindAsync(ModelVersion version, CancellationToken cancellationToken)
    {
        var directory = await FindAsync(version.Root, cancellationToken).ConfigureAwait(false);
        return directory?.With(Card, Encoding.UTF8.GetBytes(ModelCard.WithDescription(version.Card, version.Description)));
    }

    /// <summary>The directory of a manifest.</summary>
    public async Task<VirtualDirectory?> FindAsync(Digest root, CancellationToken cancellationToken)
    {
        if (_kept.TryGetValue(root, out var kept))
            return kept;
        try
        {
            var reader = await CheckpointReader.OpenAsync(artifacts, root, cancellationToken).ConfigureAwait(false);
            var directory = VirtualDirectory.Of(reader.Manifest, reader.HasFile("config.json") ? reader.ReadFile("config.json") : null);
            if (_kept.Count >= MostKept)
                _kept.Clear();
            return _kept[root] = directory;
        }
        catch (MissingBlobException)
        {
            return null;
        }
    }

    /// <summary><c>config.json</c>, or null.</summary>
    public async Task<JsonElement?> ReadConfigAsync(VirtualDirectory directory, CancellationToken cancellationToken)
    {
        if (directory.Find("config.json") is not { } file)
            return null;
        var stream = Open(file);
        await using (stream.ConfigureAwait(false))
        {
            using var document = await JsonDocument.ParseAsync(stream, cancellationToken: cancellationToken).ConfigureAwait(false);
            return document.RootElement.Clone();
        }
    }

    /// <summary>The digest of a file's bytes: read where it is not known, one file at a time, once.</summary>
    public async Task<Digest> DigestAsync(VirtualFile file, CancellationToken cancellationToken)
    {
        if (file.Sha256 is { } known)
            return known;
        if (_digests.TryGetValue(file.Tag, out var kept))
            return kept;
        await _reading.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            if (_digests.TryGetValue(file.Tag, out var meanwhile))
                return meanwhile;
            var stream = Open(file);
            await using (stream.ConfigureAwait(false))
            {
                if (_digests.Count >= MostDigests)
                    _digests.Clear();
                return _digests[file.Tag] = Digest.FromHash(await SHA256.HashDataAsync(stream, cancellationToken).ConfigureAwait(false));
            }
        }
        finally
        {
            _reading.Release();
        }
    }

    /// <summary>A stream over a file, which reads blobs as they are needed.</summary>
    public Stream Open(VirtualFile file) => new VirtualFileStream(artifacts.Blobs, file);

    public static IReadOnlyList<FileView> List(VirtualDirectory directory) =>
        [.. directory.Files.Select(f => new FileView(f.Path, f.SizeBytes, f.Sha256?.Hex, f.Tag.Hex))];
}
