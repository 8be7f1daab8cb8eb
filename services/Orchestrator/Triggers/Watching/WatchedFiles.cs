using Dapper;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Triggers.Watching;

/// <summary>What every trigger has seen of its place already. A file is news once for each time that it is written.</summary>
internal sealed class WatchedFiles(LedgerDatabase database)
{
    /// <summary>Stands among the paths for: the place has been looked at.</summary>
    private const string Looked = "";

    /// <summary>Makes events of what is new and settled; returns their number. What a place held when its trigger was added is not new.</summary>
    /// <param name="trigger">The trigger.</param>
    /// <param name="listing">What its place holds.</param>
    /// <param name="settled">Picks from the files that have changed those that are no longer written to.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    public async Task<int> TakeAsync(
        TriggerRow trigger, WatchListing listing, Func<IReadOnlyList<WatchedFile>, List<WatchedFile>> settled, CancellationToken cancellationToken)
    {
        var known = (await database.ReadAsync(
            connection => connection.QueryAsync<WatchedFile>(
                "select path, size, modified, etag from watched_file where trigger_name = @Name", new { trigger.Name }), cancellationToken)
            .ConfigureAwait(false)).ToDictionary(f => f.Path, StringComparer.Ordinal);
        var changed = listing.Files.Where(f => !known.TryGetValue(f.Path, out var before) || !f.IsSame(before)).ToList();
        if (!known.ContainsKey(Looked))
        {
            // Of what could not be read nobody knows whether it was there before.
            if (listing.Trouble.Length == 0)
                await KeepAsync(trigger, [.. changed, new WatchedFile { Path = Looked }], isNews: false, cancellationToken).ConfigureAwait(false);
            return 0;
        }
        var news = settled(changed);
        if (news.Count > 0)
            await KeepAsync(trigger, news, isNews: true, cancellationToken).ConfigureAwait(false);
        return news.Count;
    }

    private Task KeepAsync(TriggerRow trigger, IReadOnlyList<WatchedFile> files, bool isNews, CancellationToken cancellationToken) =>
        database.WriteAsync(async transaction =>
        {
            foreach (var file in files)
            {
                await transaction.ExecuteAsync(
                    """
                    insert into watched_file (trigger_name, path, size, modified, etag) values (@trigger, @Path, @Size, @Modified, @ETag)
                    on conflict (trigger_name, path) do update set size = excluded.size, modified = excluded.modified, etag = excluded.etag
                    """, new { trigger = trigger.Name, file.Path, file.Size, file.Modified, file.ETag }).ConfigureAwait(false);
                if (!isNews)
                    continue;
                await transaction.AddEventAsync(new HappenedEvent
                {
                    Key = file.KeyAt(trigger.Name),
                    Kind = EventKinds.Watch,
                    Target = trigger.Name,
                    Fields = new
                    {
                        path = file.Path, name = file.Name, size = file.Size, modified = $"{Times.Of(file.Modified):yyyy-MM-ddTHH:mm:ss.fffZ}",
                        etag = file.ETag, url = file.Url,
                    },
                }).ConfigureAwait(false);
            }
        }, cancellationToken);
}
