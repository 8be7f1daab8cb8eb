using System.Formats.Tar;
using System.IO.Compression;
using Espalier.Contracts;

namespace Espalier.Datasets.Packages;

/// <summary>Reads chosen files of a package straight out of its archive, into memory: nothing is unpacked, so no path can escape.</summary>
internal static class PackageArchive
{
    private const long MaxFileBytes = 128 << 20;
    private const long MaxTotalBytes = 512 << 20;

    /// <summary>The wanted files by path (without npm's leading <c>package/</c>), in ordinal order.</summary>
    /// <exception cref="UserInputException">The archive is damaged or holds more than the limits allow.</exception>
    public static async Task<IReadOnlyDictionary<string, byte[]>> ReadAsync(
        FetchedPackage package, Func<string, bool> wants, CancellationToken cancellationToken)
    {
        var files = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        try
        {
            if (package.Package.Registry == PackageRegistry.Npm)
            {
                var archive = File.OpenRead(package.Archive);
                await using (archive.ConfigureAwait(false))
                {
                    var tar = new GZipStream(archive, CompressionMode.Decompress);
                    await using (tar.ConfigureAwait(false))
                        await ReadTarAsync(tar, wants, files, cancellationToken).ConfigureAwait(false);
                }
            }
            else
            {
                await ToolProcess.RunAsync(
                    "dpkg-deb", ["--fsys-tarfile", package.Archive], Path.GetTempPath(),
                    tar => ReadTarAsync(tar, wants, files, cancellationToken), cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception exception) when (exception is InvalidDataException or EndOfStreamException or FormatException or ToolFailedException)
        {
            throw new UserInputException(
                $"The archive {package.Archive} of {package.Package} is damaged ({exception.Message}): delete it and run again.", exception);
        }
        return files.Count > 0
            ? files
            : throw new UserInputException($"{package.Package} {package.Version} does not hold the text that this corpus is made of: its layout has changed.");
    }

    private static async Task ReadTarAsync(Stream stream, Func<string, bool> wants, IDictionary<string, byte[]> files, CancellationToken cancellationToken)
    {
        var total = 0L;
        var tar = new TarReader(stream, leaveOpen: true);
        await using (tar.ConfigureAwait(false))
        {
            while (await tar.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false) is { } entry)
            {
                var path = entry.Name.StartsWith("package/", StringComparison.Ordinal) ? entry.Name["package/".Length..] : entry.Name.TrimStart('.', '/');
                if (entry.EntryType is not (TarEntryType.RegularFile or TarEntryType.V7RegularFile) || entry.DataStream is null || !wants(path))
                    continue;
                total += entry.Length;
                if (entry.Length > MaxFileBytes || total > MaxTotalBytes)
                    throw new InvalidDataException($"{path} is larger than expected");
                var bytes = new byte[entry.Length];
                await entry.DataStream.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
                files[path] = bytes;
            }
        }
    }
}
