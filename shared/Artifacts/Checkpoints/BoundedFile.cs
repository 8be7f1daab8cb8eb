using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>Reads small untrusted files, up to a size.</summary>
internal static class BoundedFile
{
    public static byte[] Read(string path, long maxBytes)
    {
        var length = new FileInfo(path).Length;
        if (length > maxBytes)
            throw new UserInputException($"{path}: {length} bytes; at most {maxBytes} are read.");
        return File.ReadAllBytes(path);
    }
}
