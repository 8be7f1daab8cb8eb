using Espalier.Database;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Notices;

/// <summary>Forgets notices whose run ended long ago; those that are still to be sent are kept.</summary>
internal sealed class NoticeRetention(LedgerDatabase database, OrchestratorOptions options, TimeProvider time, ILogger<NoticeRetention> logger)
    : BackgroundService
{
    private const int Batch = 1000;
    private static readonly TimeSpan Interval = TimeSpan.FromHours(1);

    /// <summary>Forgets what is old, some at a time, so that nobody waits long for the table; returns the number of batches.</summary>
    internal async Task<int> ForgetAsync(CancellationToken cancellationToken)
    {
        var until = database.Now - (long)options.NoticeHistory.TotalMilliseconds;
        for (var batches = 1; ; batches++)
        {
            var forgotten = await database.WriteAsync(
                transaction => transaction.ExecuteAsync(
                    "delete from notice where id in (select id from notice where ended_at < @until and state <> 'waiting' order by ended_at limit @Batch)",
                    new { until, Batch }), cancellationToken).ConfigureAwait(false);
            if (forgotten < Batch)
                return batches;
        }
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        new DatabaseLoop("The retention of notices", time, logger).RunAsync(ForgetAsync, Interval, stoppingToken);
}
