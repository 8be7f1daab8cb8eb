using System.Data.Common;
using System.Text.Json;
using Dapper;
using Espalier.Contracts;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Triggers;

/// <summary>Reads triggers, events and what became of them, and switches triggers on and off.</summary>
internal sealed class TriggerLedger(LedgerDatabase database, Wakeups wakeups)
{
    private const string Owned =
        """
        select t.*, v.owner, (select count(*) from api_key k where k.name = v.owner and k.role <> 'viewer') as keys from pipeline_trigger t
          join pipeline p on p.name = t.pipeline join pipeline_version v on v.name = p.name and v.version = p.version
        """;

    /// <summary>Firings with the names of their runs, archived or not.</summary>
    private const string Firings =
        """
        select f.*, coalesce(r.name, a.name) as run_name, coalesce(r.ordinal, a.ordinal, 0) as run_ordinal from trigger_firing f
          left join run r on r.id = f.run_id left join run_archive a on a.id = f.run_id
        """;

    private static TriggerView View(TriggerRow row) => new(
        row.Name, row.Pipeline, row.Kind, row.IsEnabled != 0, row.Paused, row.Failures, row.NextAt is { } next ? Times.Of(next) : null,
        SettingsOf(row));

    /// <summary>Every trigger, by name.</summary>
    public Task<IReadOnlyList<TriggerView>> ListAsync(CancellationToken cancellationToken) =>
        database.ReadAsync(connection => ListAsync(connection, null), cancellationToken);

    /// <summary>The triggers of a pipeline, or of all for null, by name.</summary>
    public static async Task<IReadOnlyList<TriggerView>> ListAsync(DbConnection connection, string? pipeline) =>
    [
        .. (await connection.QueryAsync<OwnedTriggerRow>(
            $"{Owned} where @pipeline is null or t.pipeline = @pipeline order by t.name", new { pipeline }).ConfigureAwait(false)).Select(r => r.View()),
    ];

    /// <summary>A trigger by its name, or by that of its pipeline when this has one only; null when there is none.</summary>
    /// <exception cref="UserInputException">The pipeline has several.</exception>
    public Task<TriggerRow?> FindAsync(string name, CancellationToken cancellationToken) =>
        database.ReadAsync<TriggerRow?>(async connection => await FindRowAsync(connection, name).ConfigureAwait(false), cancellationToken);

    /// <summary>A trigger with what it made of the last events.</summary>
    /// <inheritdoc cref="FindAsync"/>
    public Task<TriggerView?> ShowAsync(string name, int last, CancellationToken cancellationToken) =>
        database.ReadAsync(async connection =>
        {
            if (await FindRowAsync(connection, name).ConfigureAwait(false) is not { } row)
                return null;
            var firings = (await connection.QueryAsync<FiringRow>(
                $"{Firings} where f.trigger_name = @Name order by f.id desc limit @last", new { row.Name, last }).ConfigureAwait(false)).AsList();
            return row.View() with { Firings = await GroupWaits.ViewAsync(connection, database, firings).ConfigureAwait(false) };
        }, cancellationToken);

    /// <summary>Switches a trigger on or off; on also ends a pause. Null when there is none.</summary>
    /// <inheritdoc cref="FindAsync"/>
    public async Task<TriggerView?> SwitchAsync(string name, bool isOn, CancellationToken cancellationToken)
    {
        if (await FindAsync(name, cancellationToken).ConfigureAwait(false) is not { } row)
            return null;
        var schedule = row.Read() as Espalier.Pipelines.Triggers.TimedTrigger;
        await database.WriteAsync(
            transaction => transaction.ExecuteAsync(
                """
                update pipeline_trigger set is_enabled = @isEnabled, paused = case when @isOn then '' else paused end,
                       failures = case when @isOn then 0 else failures end, next_at = @next, trouble = '', trouble_since = null
                 where name = @Name
                """,
                new
                {
                    row.Name, isOn, isEnabled = isOn ? 1 : 0,
                    next = schedule?.Next(Times.Of(transaction.Now))?.ToUnixTimeMilliseconds(),
                }), cancellationToken).ConfigureAwait(false);
        wakeups.Triggers.Set();
        return await ShowAsync(row.Name, 0, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>The newest events with what triggers made of them, newest first.</summary>
    public Task<IReadOnlyList<TriggerEventView>> EventsAsync(string? kind, int limit, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<TriggerEventView>>(async connection =>
        {
            var events = (await connection.QueryAsync<EventRow>(
                $"select * from trigger_event {(kind is null ? "" : "where kind = @kind")} order by id desc limit @limit",
                new { kind, limit }).ConfigureAwait(false)).AsList();
            var ids = database.Dialect.List([.. events.Select(e => e.Id)]);
            var rows = (await connection.QueryAsync<FiringRow>(
                $"{Firings} where {database.Dialect.In("f.event_id", "ids")} order by f.id", new { ids }).ConfigureAwait(false)).AsList();
            var firings = (await GroupWaits.ViewAsync(connection, database, rows).ConfigureAwait(false)).ToLookup(f => f.Event);
            var labels = await LabelsAsync(connection, events).ConfigureAwait(false);
            return
            [
                .. events.Select(e => new TriggerEventView(e.Id, e.Kind, Times.Of(e.At), e.ReadFields().Json, e.ReadChain(), [.. firings[e.Id]])
                {
                    Label = RunOf(e) is { } run ? labels.GetValueOrDefault(run) : null,
                }),
            ];
        }, cancellationToken);

    /// <summary>What people call the runs that events tell of.</summary>
    private async Task<Dictionary<Guid, string>> LabelsAsync(DbConnection connection, IReadOnlyList<EventRow> events)
    {
        var runs = events.Select(RunOf).OfType<Guid>().Distinct().Select(run => run.ToString()).ToList();
        if (runs.Count == 0)
            return [];
        var isOne = database.Dialect.In("id", "runs");
        var named = await connection.QueryAsync<(string Id, string Name, long Ordinal)>(
            $"select id, name, ordinal from run where {isOne} union select id, name, ordinal from run_archive where {isOne}",
            new { runs = database.Dialect.List(runs) }).ConfigureAwait(false);
        return named.ToDictionary(r => Guid.Parse(r.Id), r => RunView.LabelOf(r.Name, r.Ordinal, Guid.Parse(r.Id)));
    }

    private static Guid? RunOf(EventRow happened) =>
        happened.ReadFields().Json is { ValueKind: JsonValueKind.Object } fields && fields.TryGetProperty("run", out var run)
            && run.ValueKind == JsonValueKind.String && run.TryGetGuid(out var id) ? id : null;

    /// <summary>The last events that a trigger of this name would have seen, oldest first, with what it made of them.</summary>
    public Task<IReadOnlyList<(EventRow Event, FiringRow? Firing)>> HistoryAsync(TriggerRow trigger, int last, CancellationToken cancellationToken) =>
        database.ReadAsync<IReadOnlyList<(EventRow, FiringRow?)>>(async connection =>
        {
            var events = (await connection.QueryAsync<EventRow>(
                "select * from trigger_event where kind = @Kind and (target is null or target = @Name) order by id desc limit @last",
                new { trigger.Kind, trigger.Name, last }).ConfigureAwait(false)).AsList();
            var ids = database.Dialect.List([.. events.Select(e => e.Id)]);
            var firings = (await connection.QueryAsync<FiringRow>(
                $"{Firings} where f.trigger_name = @Name and {database.Dialect.In("f.event_id", "ids")}",
                new { trigger.Name, ids }).ConfigureAwait(false)).ToDictionary(f => f.EventId);
            events.Reverse();
            return [.. events.Select(e => (e, firings.GetValueOrDefault(e.Id)))];
        }, cancellationToken);

    /// <summary>Settings that cannot be read are shown as the text that they are.</summary>
    private static JsonElement SettingsOf(TriggerRow row)
    {
        try
        {
            return JsonSerializer.Deserialize<JsonElement>(row.Settings);
        }
        catch (JsonException)
        {
            return JsonSerializer.SerializeToElement(row.Settings);
        }
    }

    internal static FiringView ViewOf(FiringRow row) => new(
        row.TriggerName, row.EventId, row.Current, row.Reason, row.ReadParameters(), row.RunId is null ? null : Guid.Parse(row.RunId), Times.Of(row.At))
    {
        Label = row.RunName is null ? null : RunView.LabelOf(row.RunName, row.RunOrdinal, Guid.Parse(row.RunId!)),
    };

    private static async Task<OwnedTriggerRow?> FindRowAsync(DbConnection connection, string name)
    {
        var rows = (await connection.QueryAsync<OwnedTriggerRow>(
            $"{Owned} where t.name = @name or t.pipeline = @name order by t.name", new { name }).ConfigureAwait(false)).AsList();
        if (rows.FirstOrDefault(r => r.Name == name) is { } exact)
            return exact;
        return rows.Count <= 1
            ? rows.FirstOrDefault()
            : throw new UserInputException($"Pipeline '{name}' has {rows.Count} triggers; name one: {string.Join(", ", rows.Select(r => r.Name))}.");
    }

    private sealed class OwnedTriggerRow : TriggerRow
    {
        public string Owner { get; init; } = "";
        public long Keys { get; init; }

        public TriggerView View() => TriggerLedger.View(this) with
        {
            Owner = Owner,
            Trouble = Off is null ? Trouble : "",
            TroubleSince = Off is null && TroubleSince is { } since ? Times.Of(since) : null,
            Stopped = Keys > 0 ? "" : $"Its owner '{Owner}' has no key that may start runs, so it starts nothing.",
        };
    }
}
