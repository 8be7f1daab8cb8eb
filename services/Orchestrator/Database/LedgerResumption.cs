namespace Espalier.Orchestrator.Database;

/// <summary>
/// Before anything looks at leases: what the clock shows to have passed since a worker was last heard counts neither against its lease nor
/// against the timeout of its attempt. Nobody listened meanwhile, and the clock may have been set. A worker that is gone is noticed one
/// lease later; one that is well never hears of it.
/// </summary>
internal sealed class LedgerResumption(LedgerDatabase database, OrchestratorOptions options) : IHostedLifecycleService
{
    public Task StartingAsync(CancellationToken cancellationToken) => database.WriteAsync(async transaction =>
    {
        var times = new
        {
            until = transaction.Now + (long)options.Lease.TotalMilliseconds,
            cancel = transaction.Now + (long)options.CancelGrace.TotalMilliseconds,
        };
        await transaction.ExecuteAsync(
            """
            update step set deadline_at = deadline_at + (@until - lease_until), lease_until = @until
             where state = 'running' and lease_until is not null
            """, times).ConfigureAwait(false);
        await transaction.ExecuteAsync("update run set cancel_until = @cancel where cancel_until is not null", times).ConfigureAwait(false);
    }, cancellationToken);

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;
}
