using System.Data.Common;
using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>Pipelines that were added: they have a name, versions, and triggers that act.</summary>
internal sealed class RegisteredPipelines(LedgerDatabase database, Wakeups wakeups)
{
    private const string Newest =
        """
        select v.* from pipeline p join pipeline_version v on v.name = p.name and v.version = p.version where p.removed_at is null
        """;

    private const string Numbered =
        """
        select v.* from pipeline p join pipeline_version v on v.name = p.name and v.version = @version where p.removed_at is null
        """;

    /// <summary>Adds a pipeline, or a further version of one; the same text again changes nothing. Returns the version.</summary>
    /// <param name="pipeline">What to add; the version is worked out.</param>
    /// <param name="triggers">Its triggers.</param>
    /// <param name="mayReplace">Whether it may be that of another owner.</param>
    /// <param name="cancellationToken">Stops waiting for the database.</param>
    /// <exception cref="NotOwnerException">It is another's.</exception>
    public async Task<int> AddAsync(
        PipelineRow pipeline, IReadOnlyList<PlannedTrigger> triggers, bool mayReplace, CancellationToken cancellationToken)
    {
        var version = await database.WriteAsync(async transaction =>
        {
            await transaction.SerializeAsync(TriggerLock.Key).ConfigureAwait(false);
            var known = await transaction.FindAsync<PipelineRow>($"{Newest} and p.name = @Name", new { pipeline.Name }).ConfigureAwait(false);
            if (known is not null && known.Owner != pipeline.Owner && !mayReplace)
                throw new NotOwnerException(known);
            if (known is not null && (known.Yaml, known.FileName, known.Owner) == (pipeline.Yaml, pipeline.FileName, pipeline.Owner))
                return known.Version;
            var last = await transaction.FindAsync<int?>(
                "select max(version) from pipeline_version where name = @Name", new { pipeline.Name }).ConfigureAwait(false);
            var values = new
            {
                pipeline.Name, pipeline.FileName, pipeline.Yaml, pipeline.Owner, Version = (last ?? 0) + 1, transaction.Now,
            };
            await transaction.ExecuteAsync(
                """
                insert into pipeline_version (name, version, file_name, yaml, owner, created_at) values (@Name, @Version, @FileName, @Yaml, @Owner, @Now)
                """, values).ConfigureAwait(false);
            await transaction.ExecuteAsync(
                """
                insert into pipeline (name, version) values (@Name, @Version)
                on conflict (name) do update set version = excluded.version, removed_at = null
                """, values).ConfigureAwait(false);
            await ReplaceTriggersAsync(transaction, pipeline.Name, triggers).ConfigureAwait(false);
            return values.Version;
        }, cancellationToken).ConfigureAwait(false);
        wakeups.Triggers.Set();
        return version;
    }

    /// <summary>The newest version of a pipeline, or null when there is none of this name.</summary>
    public Task<PipelineRow?> FindAsync(string name, CancellationToken cancellationToken) =>
        database.ReadAsync(connection => connection.QueryFirstOrDefaultAsync<PipelineRow>($"{Newest} and p.name = @name", new { name }), cancellationToken);

    /// <summary>The newest version of every pipeline, by name.</summary>
    public Task<IReadOnlyList<PipelineView>> ListAsync(CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<PipelineView>>(async connection =>
        {
            var rows = await connection.QueryAsync<PipelineRow>($"{Newest} order by v.name").ConfigureAwait(false);
            var triggers = (await TriggerLedger.ListAsync(connection, null).ConfigureAwait(false)).ToLookup(t => t.Pipeline);
            return [.. rows.Select(r => View(r, triggers[r.Name]))];
        }, cancellationToken);

    /// <summary>Everything about one pipeline, or null.</summary>
    public Task<PipelineView?> ShowAsync(string name, CancellationToken cancellationToken) => ShowAsync(name, version: null, cancellationToken);

    /// <summary>Everything about one pipeline with the text of the version that is asked for, or null; its triggers are those that act now.</summary>
    public Task<PipelineView?> ShowAsync(string name, int? version, CancellationToken cancellationToken) =>
        database.ReadAsync(async connection =>
        {
            var row = await connection.QueryFirstOrDefaultAsync<PipelineRow>(
                $"{(version is null ? Newest : Numbered)} and p.name = @name", new { name, version }).ConfigureAwait(false);
            if (row is null)
                return null;
            var versions = await connection.QueryAsync<PipelineRow>(
                "select * from pipeline_version where name = @name order by version desc limit 100", new { name }).ConfigureAwait(false);
            return View(row, await TriggerLedger.ListAsync(connection, name).ConfigureAwait(false)) with
            {
                FileName = row.FileName,
                Pipeline = row.Yaml,
                Versions = [.. versions.Select(v => new PipelineVersionView(v.Version, v.Owner, Times.Of(v.CreatedAt)))],
            };
        }, cancellationToken);

    /// <summary>Takes a pipeline and its triggers away; runs that are under way go on. False when there is none.</summary>
    /// <exception cref="NotOwnerException">It is another's.</exception>
    public Task<bool> RemoveAsync(string name, string caller, bool mayReplace, CancellationToken cancellationToken) =>
        database.WriteAsync(async transaction =>
        {
            await transaction.SerializeAsync(TriggerLock.Key).ConfigureAwait(false);
            var known = await transaction.FindAsync<PipelineRow>($"{Newest} and p.name = @name", new { name }).ConfigureAwait(false);
            if (known is null)
                return false;
            if (known.Owner != caller && !mayReplace)
                throw new NotOwnerException(known);
            await transaction.ExecuteAsync("update pipeline set removed_at = @Now where name = @name", new { name, transaction.Now }).ConfigureAwait(false);
            await ReplaceTriggersAsync(transaction, name, []).ConfigureAwait(false);
            return true;
        }, cancellationToken);

    /// <summary>Triggers as the new version has them: one that was switched off or paused stays so, and none sees an event a second time.</summary>
    private static async Task ReplaceTriggersAsync(DatabaseTransaction transaction, string pipeline, IReadOnlyList<PlannedTrigger> triggers)
    {
        var after = await transaction.FindAsync<long>("select coalesce(max(id), 0) from trigger_event").ConfigureAwait(false);
        var names = triggers.Select(t => $"{pipeline}.{t.Label}").ToList();
        foreach (var gone in (await transaction.QueryAsync<string>(
            "select name from pipeline_trigger where pipeline = @pipeline", new { pipeline }).ConfigureAwait(false)).Except(names))
        {
            await transaction.ExecuteAsync("delete from pipeline_trigger where name = @gone", new { gone }).ConfigureAwait(false);
            await transaction.ExecuteAsync("delete from watched_file where trigger_name = @gone", new { gone }).ConfigureAwait(false);
        }
        for (var i = 0; i < triggers.Count; i++)
        {
            var settings = TriggerKind.Find(triggers[i].Event)!.Read(triggers[i].Settings);
            if (settings is IWatchSettings watch)
                await ForgetOtherPlaceAsync(transaction, names[i], watch).ConfigureAwait(false);
            await transaction.ExecuteAsync(
                """
                insert into pipeline_trigger (name, pipeline, kind, settings, pause_after, after_event, next_at, created_at)
                values (@name, @pipeline, @Event, @settings, @PauseAfter, @after, @next, @Now)
                on conflict (name) do update set settings = excluded.settings, pause_after = excluded.pause_after, next_at = excluded.next_at,
                       trouble = '', trouble_since = null
                """,
                new
                {
                    name = names[i], pipeline, triggers[i].Event, settings = triggers[i].Settings.GetRawText(), settings.PauseAfter, after,
                    next = (settings as TimedTrigger)?.Next(Times.Of(transaction.Now))?.ToUnixTimeMilliseconds(), transaction.Now,
                }).ConfigureAwait(false);
        }
    }

    /// <summary>What a trigger has seen counts for the place that it watched: all that another one holds already is not new.</summary>
    private static async Task ForgetOtherPlaceAsync(DatabaseTransaction transaction, string trigger, IWatchSettings watch)
    {
        var known = await transaction.FindAsync<TriggerRow>("select * from pipeline_trigger where name = @trigger", new { trigger }).ConfigureAwait(false);
        if (known is null || known.FindWatch() is { } before && (before.Path, before.Blobs, before.Pattern) == (watch.Path, watch.Blobs, watch.Pattern))
            return;
        await transaction.ExecuteAsync("delete from watched_file where trigger_name = @trigger", new { trigger }).ConfigureAwait(false);
    }

    private static PipelineView View(PipelineRow row, IEnumerable<TriggerView> triggers) =>
        new(row.Name, row.Version, row.Owner, Times.Of(row.CreatedAt), [.. triggers]);
}

/// <summary>A pipeline belongs to another, and only its owner or an administrator may change it.</summary>
internal sealed class NotOwnerException(PipelineRow pipeline)
    : Exception($"Pipeline '{pipeline.Name}' is {pipeline.Owner}'s: only its owner or an administrator may do that.");

/// <summary>Everything about triggers that must not happen side by side: additions, decisions and starts.</summary>
internal static class TriggerLock
{
    public const long Key = 7_305_112_904_417_386_083;
}

/// <summary>Milliseconds since 1970 as times.</summary>
internal static class Times
{
    public static DateTimeOffset Of(long at) => DateTimeOffset.FromUnixTimeMilliseconds(at);
}
