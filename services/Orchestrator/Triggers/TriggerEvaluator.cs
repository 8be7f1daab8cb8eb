using Dapper;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>Takes open events in their order and writes down what every trigger of their kind makes of them.</summary>
internal sealed class TriggerEvaluator(LedgerDatabase database)
{
    private const int Batch = 50;
    private const string Open = "select * from trigger_event where is_open = 1 order by id limit @Batch";

    /// <summary>One batch; returns the number of events in it.</summary>
    public async Task<int> RunAsync(CancellationToken cancellationToken)
    {
        var isOpen = await database.ReadAsync(
            connection => connection.QueryFirstOrDefaultAsync<long?>("select id from trigger_event where is_open = 1 limit 1"), cancellationToken)
            .ConfigureAwait(false);
        return isOpen is null
            ? 0
            : await database.WriteAsync(async transaction =>
            {
                await transaction.SerializeAsync(TriggerLock.Key).ConfigureAwait(false);
                var events = await transaction.QueryAsync<EventRow>(Open, new { Batch }).ConfigureAwait(false);
                var kinds = events.Select(e => e.Kind).Distinct().ToList();
                var triggers = await transaction.QueryAsync<TriggerRow>(
                    $"select * from pipeline_trigger where {transaction.Dialect.In("kind", "kinds")} order by name",
                    new { kinds = transaction.Dialect.List(kinds) }).ConfigureAwait(false);
                foreach (var happened in events)
                    await DecideAsync(transaction, happened, triggers).ConfigureAwait(false);
                await transaction.ExecuteAsync(
                    $"update trigger_event set is_open = 0 where {transaction.Dialect.In("id", "ids")}",
                    new { ids = transaction.Dialect.List(events.Select(e => e.Id).ToList()) }).ConfigureAwait(false);
                return events.Count;
            }, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Whether a batch of this size leaves more to do.</summary>
    public static bool IsFull(int events) => events == Batch;

    private static async Task DecideAsync(DatabaseTransaction transaction, EventRow happened, IReadOnlyList<TriggerRow> triggers)
    {
        foreach (var trigger in triggers.Where(
            t => t.Kind == happened.Kind && t.AfterEvent < happened.Id && (happened.Target is null || happened.Target == t.Name)))
        {
            try
            {
                var settings = trigger.Read();
                var decision = await FiringDecision.MakeAsync(
                    trigger, settings, happened, new LedgerFirings(transaction, trigger.Name)).ConfigureAwait(false);
                if (decision.State == FiringState.Waiting && trigger.Off is { } off)
                    decision = decision with { State = FiringState.Refused, Reason = off };
                await WriteAsync(transaction, trigger, settings, happened, decision).ConfigureAwait(false);
            }
            catch (InvalidDataException e)
            {
                // One trigger that cannot be read is its own trouble: it says so, and the others go on.
                await WriteAsync(transaction, trigger, null, happened, FiringDecision.Unread(e.Message)).ConfigureAwait(false);
            }
        }
    }

    private static async Task WriteAsync(
        DatabaseTransaction transaction, TriggerRow trigger, TriggerSettings? settings, EventRow happened, FiringDecision decision)
    {
        var isWaiting = decision.State == FiringState.Waiting;
        if (isWaiting && settings?.Debounce is not null)
            await SupersedeAsync(transaction, trigger, happened, "attempts = 0 and not_before > @At").ConfigureAwait(false);
        if (isWaiting && settings?.Concurrency?.Policy == ConcurrencyPolicy.CancelInProgress)
            await SupersedeAsync(transaction, trigger, happened, "concurrency_group = @group", decision.Verdict.Group).ConfigureAwait(false);
        await transaction.ExecuteAsync(
            """
            insert into trigger_firing (trigger_name, event_id, state, reason, parameters, dedupe_key, concurrency_group, is_queued, not_before, at)
            values (@Name, @Id, @state, @reason, @parameters, @DedupeKey, @Group, @isQueued, @notBefore, @Now)
            on conflict (trigger_name, event_id) do nothing
            """,
            new
            {
                trigger.Name, happened.Id, state = EnumText.Of(decision.State), reason = LedgerText.Clean(decision.Reason),
                parameters = JsonColumn.Write(decision.Verdict.Parameters), decision.Verdict.DedupeKey, decision.Verdict.Group,
                isQueued = settings?.Concurrency?.Policy == ConcurrencyPolicy.Queue ? 1 : 0,
                notBefore = isWaiting && settings?.Debounce is { } debounce ? happened.At + (long)debounce.TotalMilliseconds : 0,
                transaction.Now,
            }).ConfigureAwait(false);
    }

    /// <summary>Runs that were going to be started, and are not, since a later event covers them.</summary>
    private static Task SupersedeAsync(DatabaseTransaction transaction, TriggerRow trigger, EventRow happened, string which, string? group = null) =>
        transaction.ExecuteAsync(
            $"""
            update trigger_firing set state = 'skipped', reason = @reason, at = @Now
             where trigger_name = @Name and state = 'waiting' and {which}
            """,
            new { trigger.Name, happened.At, group, transaction.Now, reason = $"Event #{happened.Id} came after it, before its run was started." });

    private sealed class LedgerFirings(DatabaseTransaction transaction, string trigger) : IPastFirings
    {
        public Task<int> CountSinceAsync(long after) => transaction.FindAsync<int>(
            """
            select count(*) from trigger_firing f join trigger_event e on e.id = f.event_id
             where f.trigger_name = @trigger and f.state in ('waiting', 'started') and e.at > @after
            """, new { trigger, after });

        public Task<long?> FindByKeyAsync(string key) => transaction.FindAsync<long?>(
            "select event_id from trigger_firing where trigger_name = @trigger and dedupe_key = @key and state in ('waiting', 'started') order by id limit 1",
            new { trigger, key });
    }
}
