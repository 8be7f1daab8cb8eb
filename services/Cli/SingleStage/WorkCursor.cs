using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Stages;
using Espalier.Stages.Worker;

namespace Espalier.Cli.SingleStage;

/// <summary>
/// The position of a stage in a work folder. What only the position before named is deleted with it, so that a long
/// training keeps one saved state on the disk and not one for every half minute.
/// </summary>
internal sealed class WorkCursor(FileBlobStore blobs, Digest stepKey) : IStageCursor
{
    private readonly BlobCursor _inner = new(blobs, stepKey);
    private readonly ArtifactStore _artifacts = new(blobs);
    private HashSet<Digest>? _named;

    /// <inheritdoc/>
    public async Task<byte[]?> LoadAsync(CancellationToken cancellationToken)
    {
        var position = await _inner.LoadAsync(cancellationToken).ConfigureAwait(false);
        if (position is null || !IsJson(position))
            return null;
        _named = await NamedByAsync(position, cancellationToken).ConfigureAwait(false);
        return position;
    }

    /// <inheritdoc/>
    public async Task SaveAsync(ReadOnlyMemory<byte> position, CancellationToken cancellationToken)
    {
        await _inner.SaveAsync(position, cancellationToken).ConfigureAwait(false);
        var now = await NamedByAsync(position, cancellationToken).ConfigureAwait(false);
        foreach (var blob in _named?.Except(now) ?? [])
            blobs.Delete(blob);
        _named = now;
    }

    /// <summary>Every digest in a position, and every blob of those that are manifests.</summary>
    private async Task<HashSet<Digest>> NamedByAsync(ReadOnlyMemory<byte> position, CancellationToken cancellationToken)
    {
        using var json = JsonDocument.Parse(position);
        var named = Strings(json.RootElement).Select(text => Digest.TryParse(text, out var digest) ? digest : default).Where(d => !d.IsEmpty).ToHashSet();
        foreach (var root in named.ToList())
        {
            try
            {
                var manifest = await _artifacts.ReadAsync(root, cancellationToken).ConfigureAwait(false);
                named.UnionWith(manifest.Files.Select(f => f.Blob).Concat(manifest.Tensors.Select(t => t.Blob)));
            }
            catch (Exception e) when (e is MissingBlobException or InvalidDataException)
            {
                // A plain blob, or the stage will find out that it is gone.
            }
        }
        return named;
    }

    private static IEnumerable<string> Strings(JsonElement value) => value.ValueKind switch
    {
        JsonValueKind.String => [value.GetString()!],
        JsonValueKind.Array => value.EnumerateArray().SelectMany(Strings),
        JsonValueKind.Object => value.EnumerateObject().SelectMany(p => Strings(p.Value)),
        _ => [],
    };

    /// <summary>A record that a power failure truncated is not a position.</summary>
    private static bool IsJson(byte[] position)
    {
        try
        {
            using var json = JsonDocument.Parse(position);
            return true;
        }
        catch (JsonException)
        {
            return false;
        }
    }
}
