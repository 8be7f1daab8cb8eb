using System.Collections.Concurrent;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Pipelines.Expressions;

namespace Espalier.Orchestrator.Triggers.Watching;

/// <summary>
/// Places of blobs that pipelines may watch, by the names that an administrator has given them: the settings <c>blobs:NAME:container</c>,
/// <c>prefix</c> (nothing: the whole container) and <c>location</c>, written as <c>store:location</c> is, which is also what it is without
/// one. In the environment <c>ESPALIER__BLOBS__NAME__*</c> with underscores for hyphens. Keys and signatures are in no pipeline, event,
/// answer or log.
/// </summary>
internal sealed class BlobPlaces(IConfiguration configuration)
{
    private const string Section = "blobs";

    /// <summary>Most blobs that are looked through for those whose names fit.</summary>
    private const int MostListed = 100_000;

    private readonly ConcurrentDictionary<(string Location, string Container), ContainerListing> _opened = [];

    /// <summary>Refuses a place that nobody has set.</summary>
    /// <param name="blobs">As the pipeline writes it: <c>NAME</c> or <c>NAME/PREFIX</c>.</param>
    /// <exception cref="UserInputException">It may not be watched, or its settings are wrong.</exception>
    public void Check(string blobs) => Open(blobs);

    /// <summary>Every blob below the prefix whose name fits, page after page.</summary>
    /// <exception cref="UserInputException">It may not be watched, or its settings are wrong.</exception>
    /// <exception cref="WatchException">The service cannot be read, or holds too many.</exception>
    public async Task<WatchListing> ListAsync(string blobs, string pattern, CancellationToken cancellationToken)
    {
        var (container, prefix) = Open(blobs);
        var (files, listed) = (new List<WatchedFile>(), 0);
        try
        {
            await foreach (var blob in container.ListAsync(prefix, cancellationToken).ConfigureAwait(false))
            {
                if (++listed > MostListed)
                    throw new WatchException($"More than {MostListed} blobs lie below {blobs}: narrow the prefix. Until then none of them is new.");
                var file = FileOf(container, blob);
                if (file.Name.Length == 0 || !Glob.IsMatch(pattern, file.Name)) // a name that ends with / stands for a folder
                    continue;
                files.Add(file);
                if (files.Count > FolderListing.MostFiles)
                    throw FolderListing.TooMany(blobs, pattern);
            }
        }
        catch (Exception e) when (StoreFailure.Is(e))
        {
            throw new WatchException($"{blobs} cannot be read. {StoreFailure.Describe(e, "The blob service", $"{Section}:{NameOf(blobs)}:location")}", e);
        }
        return new WatchListing(files);
    }

    private static WatchedFile FileOf(ContainerListing container, ListedBlob blob) => new()
    {
        Path = blob.Name, Size = blob.SizeBytes, Modified = blob.Modified.ToUnixTimeMilliseconds(), ETag = blob.ETag, Url = container.AddressOf(blob.Name),
    };

    private (ContainerListing Container, string Prefix) Open(string blobs)
    {
        var name = NameOf(blobs);
        var settings = new[] { name, name.Replace('-', '_') }.Select(n => configuration.GetSection($"{Section}:{n}")).FirstOrDefault(s => s.Exists());
        if (settings?["container"] is not { Length: > 0 } container)
        {
            throw new UserInputException(
                $"{blobs} is not watched: there is no place of blobs '{name}'. An administrator sets {Section}:{name}:container of the orchestrator, "
                    + "and :prefix and :location where they are needed.");
        }
        var location = settings["location"] ?? LocationOfStore();
        if (location.Length == 0 || location.StartsWith("file:", StringComparison.Ordinal))
        {
            throw new UserInputException(
                $"{blobs} is not watched: the artifact store is not in Azure, so {Section}:{name}:location says which account it is, as store:location would.");
        }
        ArtifactStoreServiceCollectionExtensions.Check(new StoreOptions { Location = location, Container = container }, $"{Section}:{name}");
        var folder = settings["prefix"] is { Length: > 0 } prefix ? prefix.TrimEnd('/') + "/" : "";
        return (_opened.GetOrAdd((location, container), at => ContainerListing.Open(at.Location, at.Container)), folder + blobs[name.Length..].TrimStart('/'));
    }

    /// <summary>That of the artifact store, which may be renewed in a file: it is read again each time.</summary>
    private string LocationOfStore() => ArtifactStoreServiceCollectionExtensions.Check(Settings.Read<StoreOptions>(configuration, StoreOptions.Section));

    private static string NameOf(string blobs) => blobs.Split('/', 2)[0];
}
