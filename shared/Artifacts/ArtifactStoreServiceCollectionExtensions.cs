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
        Check(options);
        if (options.Location.StartsWith(FilePrefix, StringComparison.Ordinal))
            return new FileBlobStore(options.Location[FilePrefix.Length..]);
        var remote = AzureBlobStore.Open(options.Location, options.Container);
        return options.CacheFolder.Length > 0 ? new CachingBlobStore(remote, options.CacheFolder, options.CacheBytes) : remote;
    }

    /// <summary>Checks every setting.</summary>
    /// <param name="options">The settings.</param>
    /// <param name="section">The section of the configuration that they are from.</param>
    /// <exception cref="UserInputException">A setting is wrong.</exception>
    public static void Check(StoreOptions options, string section = StoreOptions.Section)
    {
        var isFile = options.Location.StartsWith(FilePrefix, StringComparison.Ordinal);
        var isAzure = options.Location.Contains("AccountName=", StringComparison.OrdinalIgnoreCase)
            || options.Location.Contains("BlobEndpoint=", StringComparison.OrdinalIgnoreCase)
            || options.Location.StartsWith("UseDevelopmentStorage=true", StringComparison.OrdinalIgnoreCase)
            || options.Location.StartsWith("https://", StringComparison.Ordinal)
            || options.Location.StartsWith("http://", StringComparison.Ordinal);
        // The location may hold a key or a signature, so it is not repeated.
        if (!isFile && !isAzure || options.Location == FilePrefix)
            throw new UserInputException(
                $"{section}:location must be file:PATH, a connection string of Azure Blob Storage, a SAS URL, or an https URL "
                    + $"that is opened with the identity of the process.");
        // An identity's token goes over TLS only.
        if (options.Location.StartsWith("http://", StringComparison.Ordinal) && !options.Location.Contains("sig=", StringComparison.Ordinal))
            throw new UserInputException(
                $"{section}:location is an http URL without a signature: use https, which is opened with the identity of the "
                    + $"process, or a SAS URL.");
        if (isAzure && !IsContainerName(options.Container))
            throw new UserInputException(
                $"{section}:container '{options.Container}' is not a container name: 3 to 63 lower-case letters, digits and "
                    + $"single dashes, beginning and ending with a letter or digit.");
        if (options.CacheBytes < 0)
            throw new UserInputException($"{section}:cache-bytes is {options.CacheBytes}; it must not be negative.");
    }

    private static bool IsContainerName(string name) =>
        name.Length is >= 3 and <= 63 && name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-')
            && name[0] != '-' && name[^1] != '-' && !name.Contains("--", StringComparison.Ordinal);
}
