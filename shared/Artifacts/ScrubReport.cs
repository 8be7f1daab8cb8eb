using Espalier.Contracts;

namespace Espalier.Artifacts;

/// <summary>What a scrub found.</summary>
public sealed record ScrubReport
{
    /// <summary>Blobs that were read.</summary>
    public required int Blobs { get; init; }

    /// <summary>Their bytes.</summary>
    public required long Bytes { get; init; }

    /// <summary>Manifests that steps, versions and other manifests name, and that can be read.</summary>
    public required int Manifests { get; init; }

    /// <summary>Results of steps.</summary>
    public required int Steps { get; init; }

    /// <summary>Blobs that are damaged or missing.</summary>
    public required IReadOnlyList<StoreFault> Faults { get; init; }

    /// <summary>Records that cannot be read.</summary>
    public required IReadOnlyList<RecordFault> Records { get; init; }

    /// <summary>Keys of the steps whose results are no longer whole.</summary>
    public required IReadOnlyList<Digest> Recompute { get; init; }

    /// <summary>Artifacts that are no longer whole.</summary>
    public required IReadOnlySet<Digest> Faulty { get; init; }

    /// <summary>Artifacts that were made from such, directly or not, and that may have been made from wrong bytes.</summary>
    public required IReadOnlySet<Digest> Descendants { get; init; }

    /// <summary>Whether nothing is wrong.</summary>
    public bool Ok => Faults.Count == 0 && Records.Count == 0;
}

/// <summary>A blob that is damaged or missing.</summary>
/// <param name="Blob">The blob.</param>
/// <param name="IsMissing">Whether it is not there at all; false when its bytes were wrong.</param>
/// <param name="Detail">Where the damaged bytes are kept, and what to do.</param>
public sealed record StoreFault(Digest Blob, bool IsMissing, string Detail)
{
    private const int MostNamed = 20;
    private readonly List<BlobUse> _uses = [];

    /// <summary>What it is in which artifacts, at most 20 of them.</summary>
    public IReadOnlyList<BlobUse> Uses => _uses;

    /// <summary>In how many places it is used; 0 for a blob that nothing needs.</summary>
    public int UseCount { get; private set; }

    internal void Add(Digest artifact, string content)
    {
        UseCount++;
        if (_uses.Count < MostNamed)
            _uses.Add(new BlobUse(artifact, content));
    }
}

/// <summary>What a blob is in an artifact.</summary>
/// <param name="Artifact">Root of the artifact.</param>
/// <param name="Content"><c>manifest</c>, <c>tensor 'NAME'</c> or <c>file 'PATH'</c>.</param>
public sealed record BlobUse(Digest Artifact, string Content);

/// <summary>A record that cannot be read.</summary>
/// <param name="Record">Its name.</param>
/// <param name="KeptAs">The record that keeps its content.</param>
/// <param name="StepKey">The step that it is about.</param>
public sealed record RecordFault(string Record, string KeptAs, Digest? StepKey);
