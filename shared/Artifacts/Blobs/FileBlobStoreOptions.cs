namespace Espalier.Artifacts.Blobs;

/// <summary>How a file store behaves.</summary>
public sealed class FileBlobStoreOptions
{
    /// <summary>Whether every write is flushed to the disk before it becomes visible. Switch off only for throw-away stores.</summary>
    /// <value>true</value>
    public bool IsDurable { get; init; } = true;

    /// <summary>Free disk space, in bytes, that a write of 1 MiB or more must leave; a smaller one must leave a sixteenth of it.</summary>
    /// <value>64 MiB</value>
    public long ReservedBytes { get; init; } = 64L << 20;

    /// <summary>Whether a blob that turns out to be damaged is kept in the folder <c>damaged</c>. Switch off only for copies of another store.</summary>
    /// <value>true</value>
    public bool KeepsDamaged { get; init; } = true;

    /// <summary>How old a temporary file must be before a later start takes it for the remains of a crash and deletes it.</summary>
    /// <value>24 hours</value>
    public TimeSpan TemporaryFileGrace { get; init; } = TimeSpan.FromHours(24);

    /// <summary>The clock that ages temporary files.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;
}
