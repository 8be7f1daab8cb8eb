using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;

namespace Espalier.Artifacts;

/// <summary>Opens and registers the store that the settings name.</summary>
public static class ArtifactStoreServiceCollectionExtensions
{
    private const string FilePrefix = "file:";

    /// <summary>
    /// Registers <see cref="IBlobStore"/> and <see cref="ArtifactStore"/>, opened at first use; the service is ready only while the store answers.
    /// </summary>
    public static IServiceCollection AddArtifactStore(this IServiceCollection services, StoreOptions options)
    {
        Check(options);
        services.AddSingleton(_ => Open(options));
        services.AddSingleton(provider => new ArtifactStore(provider.GetRequiredService<IBlobStore>()));
        services.TryAddSingleton(TimeProvider.System);
        services.AddSingleton<StoreProbe>();
        services.AddHealthChecks().AddCheck<StoreProbe>("store", tags: ["ready"]);
        return services;
    }

    /// <summary>Opens the store that the settings name.</summary>
    /// <exception cref="UserInputException">A setting is wrong.</exception>
    public static IBlobStore Open(StoreOptions options)
    {
        var location = Check(options);
        if (location.StartsWith(FilePrefix, StringComparison.Ordinal))
            return new FileBlobStore(location[FilePrefix.Length..]);
        var remote = options.LocationFile.Length > 0
            ? AzureBlobStore.Open(new LocationFile(options.LocationFile, TimeProvider.System), options.Container)
            : AzureBlobStore.Open(location, options.Container);
        return options.CacheFolder.Length > 0 ? new CachingBlobStore(remote, options.CacheFolder, options.CacheBytes) : remote;
    }

    /// <summary>Checks every setting; returns the location.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="section">The section of the configuration that they are from.</param>
    /// <exception cref="UserInputException">A setting is wrong.</exception>
    public static string Check(StoreOptions options, string section = StoreOptions.Section)
    {
        var (setting, location) = options.LocationFile.Length > 0
            ? ($"The file of {section}:location-file", ReadLocation(options.LocationFile, section))
            : ($"{section}:location", options.Location);
        var isFile = location.StartsWith(FilePrefix, StringComparison.Ordinal);
        var isAzure = location.Contains("AccountName=", StringComparison.OrdinalIgnoreCase)
            || location.Contains("BlobEndpoint=", StringComparison.OrdinalIgnoreCase)
            || location.StartsWith("UseDevelopmentStorage=true", StringComparison.OrdinalIgnoreCase)
            || location.StartsWith("https://", StringComparison.Ordinal)
            || location.StartsWith("http://", StringComparison.Ordinal);
        // The location may hold a key or a signature, so it is not repeated.
        if (!isFile && !isAzure || location == FilePrefix)
            throw new UserInputException(
                $"{setting} must be file:PATH, a connection string of Azure Blob Storage, a SAS URL, or an https URL "
                    + $"that is opened with the identity of the process.");
        // An identity's token goes over TLS only.
        if (location.StartsWith("http://", StringComparison.Ordinal) && !location.Contains("sig=", StringComparison.Ordinal))
            throw new UserInputException(
                $"{setting} is an http URL without a signature: use https, which is opened with the identity of the "
                    + $"process, or a SAS URL.");
        if (isAzure && !IsContainerName(options.Container))
            throw new UserInputException(
                $"{section}:container '{options.Container}' is not a container name: 3 to 63 lower-case letters, digits and "
                    + $"single dashes, beginning and ending with a letter or digit.");
        if (options.CacheBytes < 0)
            throw new UserInputException($"{section}:cache-bytes is {options.CacheBytes}; it must not be negative.");
        return location;
    }

    private static string ReadLocation(string path, string section)
    {
        try
        {
            return LocationFile.Read(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new UserInputException($"{section}:location-file: {path} cannot be read: {e.Message}", e);
        }
    }

    private static bool IsContainerName(string name) =>
        name.Length is >= 3 and <= 63 && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-')
            && name[0] != '-' && name[^1] != '-' && !name.Contains("--", StringComparison.Ordinal);
}
