using Espalier.Contracts;
using Espalier.Orchestrator.Scheduling;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers.Watching;

/// <summary>The places that triggers may watch: folders of this machine, and prefixes of blob containers.</summary>
internal sealed class WatchedPlaces(DataFolders folders, BlobPlaces blobs)
{
    /// <summary>The folders.</summary>
    public DataFolders Folders => folders;

    /// <summary>Refuses a place that may not be watched.</summary>
    /// <exception cref="UserInputException">It may not.</exception>
    public void Check(IWatchSettings watch)
    {
        if (watch.Blobs is { } place)
            blobs.Check(place);
        else
            folders.Check(watch.Path!);
    }

    /// <summary>What the place holds now.</summary>
    /// <exception cref="UserInputException">It may not be watched.</exception>
    /// <exception cref="WatchException">It cannot be looked at.</exception>
    public Task<WatchListing> ListAsync(IWatchSettings watch, CancellationToken cancellationToken)
    {
        if (watch.Blobs is { } place)
            return blobs.ListAsync(place, watch.Pattern, cancellationToken);
        // A file system may take its time; nobody else waits for it.
        return Task.Run(
            () =>
            {
                folders.Check(watch.Path!);
                return FolderListing.List(watch.Path!, watch.Pattern);
            }, cancellationToken);
    }
}
