namespace Espalier.Datasets.Packages;

/// <summary>Downloads a package's archive with the registry's own client, into an empty folder.</summary>
internal static class RegistryClients
{
    /// <summary>Returns the path of the archive.</summary>
    public static Task<string> DownloadAsync(PackageId package, string folder, Action<string> log, CancellationToken cancellationToken) =>
        package.Registry == PackageRegistry.Npm ? FromNpmAsync(package, folder, cancellationToken) : FromDebianAsync(package, folder, log, cancellationToken);

    private static async Task<string> FromNpmAsync(PackageId package, string folder, CancellationToken cancellationToken)
    {
        await ToolProcess.RunAsync(
            "npm", ["pack", "--ignore-scripts", "--loglevel=error", $"{package.Name}@{package.Version}"], folder, cancellationToken).ConfigureAwait(false);
        return Only(folder, "*.tgz", "npm");
    }

    // Debian's mirrors keep one version per release. First the pinned one from the machine's own lists, then with fresh
    // lists of our own (a bare machine has none), then whatever version there is.
    private static async Task<string> FromDebianAsync(PackageId package, string folder, Action<string> log, CancellationToken cancellationToken)
    {
        var pinned = $"{package.Name}={package.Version}";
        if (await TryAptAsync([pinned], folder, cancellationToken).ConfigureAwait(false) is null)
            return Only(folder, "*.deb", "apt-get");

        Directory.CreateDirectory(Path.Combine(folder, "lists", "partial"));
        string[] ownLists = ["-o", $"Dir::State::lists={Path.Combine(folder, "lists")}", "-o", "Dir::Cache::pkgcache=", "-o", "Dir::Cache::srcpkgcache="];
        await ToolProcess.RunAsync("apt-get", ["update", "-qq", .. ownLists], folder, cancellationToken).ConfigureAwait(false);
        if (await TryAptAsync([.. ownLists, pinned], folder, cancellationToken).ConfigureAwait(false) is null)
            return Only(folder, "*.deb", "apt-get");

        if (await TryAptAsync([.. ownLists, package.Name], folder, cancellationToken).ConfigureAwait(false) is { } failure)
            throw failure;
        var archive = Only(folder, "*.deb", "apt-get");
        log($"Warning: version {package.Version} of the Debian package {package.Name} is gone; {Path.GetFileName(archive)} is used, and its text may differ.");
        return archive;
    }

    private static async Task<ToolFailedException?> TryAptAsync(string[] arguments, string folder, CancellationToken cancellationToken)
    {
        try
        {
            await ToolProcess.RunAsync("apt-get", ["download", "-qq", .. arguments], folder, cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (ToolFailedException exception)
        {
            return exception;
        }
    }

    private static string Only(string folder, string pattern, string tool) =>
        Directory.GetFiles(folder, pattern) is [var archive] ? archive : throw new ToolFailedException(tool, $"left no single {pattern} behind.");
}
