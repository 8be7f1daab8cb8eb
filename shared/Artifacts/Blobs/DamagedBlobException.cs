using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// The bytes under a blob's name are not those of its digest. It counts as missing, so that what made it is done again; what was
/// there is kept aside and never given out.
/// </summary>
/// <param name="blob">The blob.</param>
/// <param name="message">What was found, where it is kept, and what to do.</param>
/// <param name="detail">Where it is kept, and what to do.</param>
public sealed class DamagedBlobException(Digest blob, string message, string detail) : MissingBlobException(blob, message)
{
    internal const string Remedy =
        "Do again what made it: run its pipeline again, which computes the step anew, or import the model again. espalier fsck lists what is concerned.";

    /// <summary>Where the damaged bytes are kept, and what to do.</summary>
    public string Detail { get; } = detail;

    /// <summary>A blob that was just found to be damaged.</summary>
    /// <param name="blob">The blob.</param>
    /// <param name="store">The store, as messages call it.</param>
    /// <param name="aside">Where it was put, or why it could not be moved.</param>
    internal static DamagedBlobException Found(Digest blob, string store, string aside) =>
        new(blob, $"The blob {blob.Hex} in the store at {store} is damaged: its bytes do not match its digest. {aside} {Remedy}", $"{aside} {Remedy}");

    /// <summary>A blob that is missing because it was found to be damaged earlier.</summary>
    internal static DamagedBlobException FoundEarlier(Digest blob, string store, string aside) =>
        new(
            blob, $"The store at {store} has no blob {blob.Hex} any more: it was damaged, and was set aside as {aside}. {Remedy}",
            $"It was set aside as {aside}. {Remedy}");

    /// <summary>The same with the artifact and the part of it that cannot be read.</summary>
    internal DamagedBlobException In(Digest artifact, string content) =>
        new(Blob, $"The {content} of the artifact {artifact.Hex} cannot be read. {Message}", Detail);
}
