namespace Espalier.Orchestrator.Triggers.Watching;

/// <summary>A file or a blob of a watched place, as it was seen.</summary>
internal sealed record WatchedFile
{
    /// <summary>Full path of a file; name of a blob in its container.</summary>
    public string Path { get; init; } = "";

    /// <summary>Length in bytes.</summary>
    public long Size { get; init; }

    /// <summary>When it was last written, in milliseconds since 1970.</summary>
    public long Modified { get; init; }

    /// <summary>Which writing of a blob it is; empty for a file.</summary>
    public string ETag { get; init; } = "";

    /// <summary>Address of a blob, without a signature; empty for a file.</summary>
    public string Url { get; init; } = "";

    /// <summary>The last part of its path.</summary>
    public string Name => Path[(Path.LastIndexOf('/') + 1)..];

    /// <summary>Whether it has not been written since.</summary>
    public bool IsSame(WatchedFile before) => ETag.Length > 0 ? ETag == before.ETag : (Size, Modified) == (before.Size, before.Modified);

    /// <summary>Identity of the event that it was written so, at a trigger.</summary>
    public string KeyAt(string trigger) => ETag.Length > 0 ? $"blob/{trigger}/{ETag}/{Path}" : $"file/{trigger}/{Modified}/{Size}/{Path}";
}

/// <summary>What a watched place holds.</summary>
/// <param name="Files">Every file whose name counts.</param>
/// <param name="Trouble">What of it could not be read; empty when all could.</param>
internal sealed record WatchListing(IReadOnlyList<WatchedFile> Files, string Trouble = "");

/// <summary>A watched place cannot be looked at; the message says why, and what to do.</summary>
internal sealed class WatchException(string message, Exception? innerException = null) : Exception(message, innerException);
