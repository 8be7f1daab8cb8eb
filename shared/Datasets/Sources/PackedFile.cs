using System.IO.Compression;
using Espalier.Contracts;
using ZstdSharp;

namespace Espalier.Datasets.Sources;

/// <summary>A file of the user that may be packed: <c>.gz</c> and <c>.zst</c> are unpacked while they are read.</summary>
internal static class PackedFile
{
    private static readonly (string Extension, string Format)[] Formats = [(".gz", "gzip"), (".zst", "zstd")];

    /// <summary>Opens a file; it is unpacked where its name ends in <c>.gz</c> or <c>.zst</c>.</summary>
    public static Stream Open(string path)
    {
        var file = OwnFile.Open(path);
        return FormatOf(path) switch
        {
            "gzip" => new BoundedStream(new GZipStream(file, CompressionMode.Decompress), path, OwnFile.MostBytes),
            "zstd" => new BoundedStream(new DecompressionStream(file, leaveOpen: false), path, OwnFile.MostBytes),
            _ => file,
        };
    }

    /// <summary>Whether an error says that packed bytes are wrong.</summary>
    public static bool IsDamage(Exception error) => error is InvalidDataException or EndOfStreamException or ZstdException;

    /// <summary>The error for a file whose packed bytes are wrong.</summary>
    public static UserInputException Damaged(string path, int line, Exception error) => new(
        $"{path} cannot be unpacked near line {line}: it is damaged or cut off, or no {FormatOf(path)} file. {error.Message}", error);

    private static string FormatOf(string path) =>
        Array.Find(Formats, f => path.EndsWith(f.Extension, StringComparison.OrdinalIgnoreCase)).Format ?? "";
}
