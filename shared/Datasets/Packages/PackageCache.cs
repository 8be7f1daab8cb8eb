using System.Security.Cryptography;
using Espalier.Contracts;

namespace Espalier.Datasets.Packages;

/// <summary>
/// Archives of registry packages in the user's cache folder: downloaded once by the registry's own client, which checks
/// them, then used offline. Nothing is installed, and no package script runs.
/// </summary>
public sealed class PackageCache
{
    private readonly string _folder;
    private readonly Func<PackageId, string, Action<string>, CancellationToken, Task<string>> _download;

    /// <summary>A cache in <c>$ESPALIER_CACHE</c>, else <c>$XDG_CACHE_HOME/espalier</c>, else <c>~/.cache/espalier</c>.</summary>
    public PackageCache()
        : this(Path.Combine(DefaultRoot(), "packages"))
    {
    }

    /// <summary>A cache in a folder.</summary>
    public PackageCache(string folder)
        : this(folder, RegistryClients.DownloadAsync)
    {
    }

    internal PackageCache(string folder, Func<PackageId, string, Action<string>, CancellationToken, Task<string>> download)
    {
        _folder = Path.GetFullPath(folder);
        _download = download;
    }

    /// <summary>The archive of a package, downloaded when it is not here yet or no longer what was downloaded.</summary>
    /// <param name="package">What to get.</param>
    /// <param name="log">Takes warnings.</param>
    /// <param name="cancellationToken">Stops the download.</param>
    /// <exception cref="UserInputException">The registry does not give it; the message says what to do.</exception>
    public async Task<FetchedPackage> FetchAsync(PackageId package, Action<string> log, CancellationToken cancellationToken)
    {
        if (Find(package) is { } cached)
            return cached;

        var scratch = Directory.CreateDirectory(Path.Combine(_folder, "tmp", Guid.NewGuid().ToString("N"))).FullName;
        try
        {
            log($"Downloading {package}.");
            var downloaded = await _download(package, scratch, log, cancellationToken).ConfigureAwait(false);
            var archive = ArchivePath(package);
            await File.WriteAllTextAsync(
                DigestPath(package), $"{DigestOf(downloaded)} {Path.GetFileName(downloaded)}\n", cancellationToken).ConfigureAwait(false);
            File.Move(downloaded, archive, overwrite: true);
            return Find(package) ?? throw new IOException(
                $"The archive of {package} in {archive} changed while it was stored: another process may be writing it. Run again.");
        }
        catch (ToolFailedException exception)
        {
            throw new UserInputException(
                $"The package {package} cannot be downloaded: {exception.Message} Check the network, or use your own text with file:PATH or dir:PATH.",
                exception);
        }
        finally
        {
            Directory.Delete(scratch, recursive: true);
        }
    }

    /// <summary>Forgets a package, so that the next fetch downloads it.</summary>
    public void Remove(PackageId package)
    {
        File.Delete(ArchivePath(package));
        File.Delete(DigestPath(package));
    }

    // The file name as downloaded says the version that was really found.
    private FetchedPackage? Find(PackageId package)
    {
        var (archive, digestFile) = (ArchivePath(package), DigestPath(package));
        if (!File.Exists(archive) || !File.Exists(digestFile))
            return null;
        var note = File.ReadAllText(digestFile).Trim().Split(' ', 2);
        return note.Length == 2 && note[0] == DigestOf(archive) ? new FetchedPackage(package, archive, FoundVersion(package, note[1])) : null;
    }

    // apt writes NAME_VERSION_ARCHITECTURE.deb with ':' as %3a.
    private static string FoundVersion(PackageId package, string fileName) =>
        package.Registry == PackageRegistry.Debian && fileName.Split('_') is [_, var version, ..] ? Uri.UnescapeDataString(version) : package.Version;

    private string ArchivePath(PackageId package) => Path.Combine(_folder, FileName(package) + (package.Registry == PackageRegistry.Npm ? ".tgz" : ".deb"));

    private string DigestPath(PackageId package) => Path.Combine(_folder, FileName(package) + ".sha256");

    private static string FileName(PackageId package) =>
        $"{package.Name.Replace("@", "", StringComparison.Ordinal).Replace('/', '-')}-{package.Version.Replace('~', '-')}";

    private static string DigestOf(string path)
    {
        using var stream = File.OpenRead(path);
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    private static string DefaultRoot() =>
        Environment.GetEnvironmentVariable("ESPALIER_CACHE") is { Length: > 0 } own ? own
        : Path.Combine(
            Environment.GetEnvironmentVariable("XDG_CACHE_HOME") is { Length: > 0 } xdg
                ? xdg
                : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".cache"),
            "espalier");
}

/// <summary>A package that is on disk.</summary>
/// <param name="Package">What was asked for.</param>
/// <param name="Archive">Path of its archive.</param>
/// <param name="Version">The version found, which may differ for Debian.</param>
public sealed record FetchedPackage(PackageId Package, string Archive, string Version);
