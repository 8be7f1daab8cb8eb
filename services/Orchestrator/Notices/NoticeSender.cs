using Espalier.Database;
using Espalier.Orchestrator.Database;

namespace Espalier.Orchestrator.Notices;

/// <summary>
/// Tells of the ends of runs, each at least once, with retries that wait longer each time. What is wrong with one notice is its own
/// trouble; it is written beside it.
/// </summary>
internal sealed class NoticeSender(
    LedgerDatabase database, NoticeTargets targets, HttpNotice http, MailNotice mail, TimeProvider time, ILogger<NoticeSender> logger)
    : BackgroundService
{
    private const int MostAttempts = 8, AtOnce = 10;
    private static readonly TimeSpan Interval = TimeSpan.FromSeconds(1), Lease = TimeSpan.FromMinutes(5), FirstWait = TimeSpan.FromSeconds(5);

    /// <summary>Sends what is due; returns how many notices were tried.</summary>
    internal async Task<int> SendDueAsync(CancellationToken cancellationToken)
    {
        var claimed = await NoticeLedger.ClaimAsync(database, AtOnce, Lease, cancellationToken).ConfigureAwait(false);
        // Side by side: a receiver that hangs keeps the others back for one timeout at most, and not for one a notice.
        await Task.WhenAll(claimed.Select(notice => TryAsync(notice, cancellationToken))).ConfigureAwait(false);
        return claimed.Count;
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        new DatabaseLoop("Notices", time, logger).RunAsync(SendDueAsync, Interval, stoppingToken);

    private async Task TryAsync(NoticeRow notice, CancellationToken cancellationToken)
    {
        var (state, error) = ("sent", "");
        try
        {
            await SendAsync(notice, cancellationToken).ConfigureAwait(false);
        }
        catch (NoticeRefusedException e)
        {
            (state, error) = ("failed", e.Message);
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever a receiver does, the next notices must not wait behind it.
            (state, error) = (notice.Attempts >= MostAttempts ? "failed" : "waiting", e is OperationCanceledException ? "It took too long." : e.Message);
        }
        if (error.Length > 0)
            OrchestratorLog.NoticeNotSent(logger, notice.Target, notice.RunId, notice.Attempts, error);
        await NoticeLedger.RecordAsync(database, notice, state, error, FirstWait * Math.Pow(2, notice.Attempts - 1), cancellationToken).ConfigureAwait(false);
    }

    private Task SendAsync(NoticeRow notice, CancellationToken cancellationToken) => targets.Find(notice.Target) switch
    {
        HttpTarget target => http.SendAsync(notice, target, cancellationToken),
        MailTarget target => mail.SendAsync(notice, target, cancellationToken),
        _ => throw new NoticeRefusedException(NoticeTargets.Remedy(notice.Target)),
    };
}
