using Espalier.Contracts;

namespace Espalier.Artifacts.Uploads;

/// <summary>How much may be uploaded under one name.</summary>
/// <param name="LargestUpload">Bytes of all its files.</param>
/// <param name="MostFiles">How many files.</param>
public sealed record UploadLimits(long LargestUpload, int MostFiles)
{
    /// <summary>Refuses what is more.</summary>
    /// <exception cref="UserInputException">It is more; with how much there is and may be.</exception>
    public void Check(string name, long bytes, int files)
    {
        if (files > MostFiles)
            throw new UserInputException($"{name} has {files:N0} files; this platform takes {MostFiles:N0} at once (registry:most-upload-files).");
        if (bytes > LargestUpload)
            throw new UserInputException($"{name} has {bytes:N0} bytes; this platform takes {LargestUpload:N0} at once (registry:largest-upload).");
    }
}
