using System.Text;
using System.Text.RegularExpressions;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Registry.Storage;

/// <summary>Why a blob is kept.</summary>
internal enum Reason
{
    /// <summary>A version, or its ancestry, needs it.</summary>
    Registered,

    /// <summary>The kept result of a step needs it.</summary>
    Cache,

    /// <summary>The saved position of an unfinished step needs it.</summary>
    Position,
}

/// <summary>Finds everything that roots need: manifests, their blobs, and the same of everything they were made from.</summary>
internal sealed partial class Marker(ArtifactStore artifacts)
{
    private const long LargestNamed = 256L << 20;

    private readonly List<Digest> _unreadable = [];

    /// <summary>Damaged manifests of versions and their ancestry: nobody knows what they name.</summary>
    public IReadOnlyList<Digest> Unreadable => _unreadable;

    /// <summary>What was reached, and why first.</summary>
    public Dictionary<Digest, Reason> Marks { get; } = [];

    /// <summary>Marks an artifact with its ancestry. What is gone already cannot be kept, and what it named cannot be known.</summary>
    public async Task MarkAsync(Digest root, Reason reason, CancellationToken cancellationToken)
    {
        var waiting = new Queue<Digest>([root]);
        while (waiting.TryDequeue(out var next))
        {
            if (Marks.ContainsKey(next))
                continue;
            try
            {
                var manifest = await artifacts.ReadAsync(next, cancellationToken).ConfigureAwait(false);
                Marks[next] = reason;
                foreach (var blob in manifest.Files.Select(f => f.Blob).Concat(manifest.Tensors.Select(t => t.Blob)))
                    Marks.TryAdd(blob, reason);
                foreach (var parent in manifest.Parents)
                    waiting.Enqueue(parent.Manifest);
            }
            catch (MissingBlobException)
            {
                // Swept earlier, or never here.
            }
            catch (InvalidDataException) when (reason != Reason.Position)
            {
                Marks[next] = reason; // a damaged manifest must not stop the collection: what else is unneeded is still known
                if (reason == Reason.Registered)
                    _unreadable.Add(next);
            }
        }
    }

    /// <summary>Marks every digest that a saved position names, whether it is a manifest or a blob.</summary>
    public async Task MarkNamedAsync(byte[] position, CancellationToken cancellationToken)
    {
        foreach (Match match in Hex().Matches(Encoding.UTF8.GetString(position)))
        {
            var digest = Digest.Parse(match.Value);
            if (Marks.ContainsKey(digest) || await artifacts.Blobs.FindLengthAsync(digest, cancellationToken).ConfigureAwait(false) is not { } length)
                continue;
            try
            {
                if (length <= LargestNamed)
                    await MarkAsync(digest, Reason.Position, cancellationToken).ConfigureAwait(false);
            }
            catch (InvalidDataException)
            {
                // A blob that is not a manifest.
            }
            Marks.TryAdd(digest, Reason.Position);
        }
    }

    [GeneratedRegex("(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])", RegexOptions.CultureInvariant)]
    private static partial Regex Hex();
}
