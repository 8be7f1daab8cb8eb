using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Triggers;

/// <summary>Forgets events that are old, and what became of them.</summary>
internal sealed class TriggerHistory(LedgerDatabase database, OrchestratorOptions options, TimeProvider time)
{
    private const int Batch = 1000;
    private static readonly TimeSpan Pause = TimeSpan.FromHours(1), LongestReplayWindow = TimeSpan.FromHours(3);
    private long? _last;

    /// <summary>Forgets once an hour.</summary>
    public async Task ForgetAsync(CancellationToken cancellationToken)
    {
        if (_last is { } last && time.GetElapsedTime(last) < Pause)
            return;
        _last = time.GetTimestamp();
        var until = database.Now - (long)options.TriggerHistory.TotalMilliseconds;
        var signedUntil = database.Now - (long)LongestReplayWindow.TotalMilliseconds;
        await database.WriteAsync(
            transaction => transaction.ExecuteAsync("delete from hook_request where at < @signedUntil", new { signedUntil }), cancellationToken)
            .ConfigureAwait(false);
        int forgotten;
        do
        {
            forgotten = await database.WriteAsync(async transaction =>
            {
                var events = await transaction.QueryAsync<long>(
                    """
                    select id from trigger_event e where at < @until and is_open = 0
                       and not exists (select 1 from trigger_firing f where f.event_id = e.id and f.state = 'waiting') order by id limit @Batch
                    """, new { until, Batch }).ConfigureAwait(false);
                var ids = transaction.Dialect.List(events);
                var (ofThem, them) = (transaction.Dialect.In("event_id", "ids"), transaction.Dialect.In("id", "ids"));
                await transaction.ExecuteAsync($"delete from trigger_firing where {ofThem}", new { ids }).ConfigureAwait(false);
                await transaction.ExecuteAsync($"delete from trigger_event where {them}", new { ids }).ConfigureAwait(false);
                return events.Count;
            }, cancellationToken).ConfigureAwait(false);
        }
        while (forgotten == Batch);
    }
}
