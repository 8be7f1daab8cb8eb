using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.StateMachine;
using Espalier.Orchestrator.Triggers;

namespace Espalier.Orchestrator.Ledger;

/// <summary>What workers do to steps. Every write names the attempt (the fence); an old one changes nothing.</summary>
internal sealed class StepLedger(LedgerDatabase database, Wakeups wakeups, OrchestratorOptions options)
{
    private const string HeldBy = "run_id = @runId and name = @name and attempt = @fence and worker = @worker and state = 'running'";

    /// <summary>Gives a worker the first step it can run, by priority, then age; writes the attempt before the worker hears of it.</summary>
    /// <param name="claim">The worker, its devices, the code that it has and what it holds.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public async Task<StepRow?> ClaimAsync(ClaimStep claim, CancellationToken cancellationToken)
    {
        var worker = claim.Worker;
        if (claim.Offers.Count == 0 || claim.Devices.Count == 0)
            return null;
        var claimed = await database.WriteAsync(async transaction =>
        {
            var held = await transaction.QueryAsync<StepRow>("select * from step where worker = @worker and state = 'running'",
                new { worker }).ConfigureAwait(false);
            if (await FindUnansweredAsync(transaction, held, claim.Holding).ConfigureAwait(false) is { } unanswered)
                return unanswered;
            await ClaimLimits.NoteAsync(transaction, claim).ConfigureAwait(false);
            var free = ClaimLimits.FreeOf(claim, held).ToList();
            if (free.Count == 0)
                return null;
            var full = await ClaimLimits.FullAsync(transaction, options).ConfigureAwait(false);
            var isAllowed = full.Count == 0 ? "" : $"and not {database.Dialect.In("kind", "full")} and not {database.Dialect.In("device", "full")}";
            // A slot of one class is no use to a step of another, so it does not matter which is looked at first.
            foreach (var (device, room) in free)
            {
                if (await TakeAsync(transaction, claim, device, room, full, isAllowed).ConfigureAwait(false) is not { } row)
                    continue;
                await transaction.RecordChangeAsync(row.RunId, row.Name, StepState.Running, row.Attempt, worker).ConfigureAwait(false);
                return row;
            }
            return null;
        }, cancellationToken).ConfigureAwait(false);
        if (claimed is null)
            return null;
        await StartRunAsync(claimed.Run, cancellationToken).ConfigureAwait(false);
        wakeups.Outbox.Set();
        return claimed;
    }

    private async Task<StepRow?> TakeAsync(
        DatabaseTransaction transaction, ClaimStep claim, string device, long? room, IReadOnlyList<string> full, string isAllowed)
    {
        var offers = claim.Offers.Where(o => o.Device is null || o.Device == device).ToList();
        if (offers.Count == 0)
            return null;
        if (room is not null)
            isAllowed += " and (memory_bytes is null or memory_bytes <= @room)";
        var own = offers.Select(o => StageCatalog.Offer(o.Kind, o.Version, o.NumericsClass)).ToList();
        var row = await TakeAsync(transaction, claim.Worker, own, device, full, isAllowed, room).ConfigureAwait(false);
        return row is null && claim.ChoosesThreads && await OtherThreads.OffersAsync(transaction, offers).ConfigureAwait(false) is { Count: > 0 } others
            ? await TakeAsync(transaction, claim.Worker, others, device, full, $"{isAllowed} and {OtherThreads.Condition}", room).ConfigureAwait(false)
            : row;
    }

    private Task<StepRow?> TakeAsync(
        DatabaseTransaction transaction, string worker, IReadOnlyList<string> offers, string device, IReadOnlyList<string> full, string isAllowed,
        long? room)
    {
        // A worker of one kind finds its step by one look into an index, however many steps of other kinds are ready.
        var isOffered = offers.Count == 1 ? "offer = @offer" : database.Dialect.In("offer", "offers");
        return transaction.FindAsync<StepRow>(
            $"""
            update step set state = @running, attempt = attempt + 1, worker = @worker, lease_until = @until, started_at = @Now,
                   deadline_at = @Now + timeout_ms, done = 0, total = 0, message = ''
             where id = (select id from step
                          where state = 'ready' and not_before <= @Now and device = @device and {isOffered} {isAllowed}
                          order by priority desc, id limit 1 {transaction.Dialect.SkipLocked})
            returning *
            """,
            new
            {
                worker,
                offer = offers[0],
                device,
                room,
                offers = database.Dialect.List(offers),
                full = database.Dialect.List(full),
                transaction.Now,
                left = OtherThreads.LeftAt(transaction),
                until = transaction.Now + (long)options.Lease.TotalMilliseconds,
                running = EnumText.Of(StepTransitions.Next(StepState.Ready, StepEvent.Claimed)!.Value),
            });
    }

    /// <summary>Renews a lease.</summary>
    public async Task<LeaseVerdict> RenewAsync(StepHeartbeat beat, CancellationToken cancellationToken)
    {
        var cancelling = await database.WriteAsync(transaction => transaction.FindAsync<bool?>(
            $"""
            update step set lease_until = @until, done = @Done, total = @Total where {HeldBy}
            returning (select case when cancel_until is null then 0 else 1 end from run where id = step.run_id)
            """,
            new
            {
                runId = beat.Step.RunId.ToString(),
                name = beat.Step.Name,
                fence = beat.Fence,
                worker = beat.Worker,
                beat.Done,
                beat.Total,
                until = transaction.Now + (long)options.Lease.TotalMilliseconds,
            }), cancellationToken).ConfigureAwait(false);
        return cancelling switch
        {
            null => LeaseVerdict.LeaseLost,
            true => LeaseVerdict.Cancel,
            false => LeaseVerdict.Continue,
        };
    }

    /// <summary>Takes a result; false when the fence is old. Hearing the same result twice is fine.</summary>
    public Task<bool> FinishAsync(StepFinished finished, CancellationToken cancellationToken) =>
        ReportAsync(finished.Step, finished.Fence, async (transaction, run, step) =>
        {
            if (step.Current == StepState.Succeeded)
                return true;
            await transaction.ExecuteAsync(
                "update step set outputs = @outputs, metrics = @metrics, notes = @notes where id = @Id",
                new
                {
                    step.Id, outputs = JsonColumn.Write(finished.Outputs), metrics = JsonColumn.Write(finished.Metrics),
                    notes = JsonColumn.Write(finished.Notes),
                }).ConfigureAwait(false);
            var isFinished = await transaction.MoveAsync(run, step, StepEvent.Finished).ConfigureAwait(false);
            if (isFinished && finished.Outputs.TryGetValue(OutputNames.Data, out var dataset))
                await transaction.RecordDatasetAsync(step, dataset).ConfigureAwait(false);
            return isFinished;
        }, cancellationToken);

    /// <summary>Takes a failure, a release or the end of a cancel; false when the fence is old.</summary>
    /// <param name="failed">What the worker says.</param>
    /// <param name="loss">The input that it could not read; null when that is not the reason.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    public Task<bool> FailAsync(StepFailed failed, InputLoss? loss, CancellationToken cancellationToken) =>
        ReportAsync(failed.Step, failed.Fence, (transaction, run, step) => step.Current != StepState.Running
            ? Task.FromResult(false)
            : loss is not null && !run.IsCancelling
                ? InputRecovery.ApplyAsync(transaction, run, step, failed, loss, options)
                : AttemptEndings.ApplyAsync(transaction, run, step, failed.Failure, failed.Message, options, failed.IsOutage), cancellationToken);

    /// <summary>The steps that a step needs, as they are.</summary>
    public Task<List<StepRow>> NeedsOfAsync(StepAddress step, CancellationToken cancellationToken) =>
        database.NeedsOfAsync(step.RunId.ToString(), step.Name, cancellationToken);

    /// <summary>An attempt in the worker's name that the worker does not know of: its claim was granted, the answer was lost.</summary>
    private async Task<StepRow?> FindUnansweredAsync(DatabaseTransaction transaction, List<StepRow> held, IReadOnlyList<HeldAttempt> holding)
    {
        var unanswered = held.FirstOrDefault(s => !holding.Contains(new HeldAttempt(s.Run, s.Name, s.Attempt)));
        if (unanswered is null)
            return null;
        var renewed = await transaction.ExecuteAsync(
            "update step set lease_until = @until where id = @Id and attempt = @Attempt and state = 'running'",
            new { unanswered.Id, unanswered.Attempt, until = transaction.Now + (long)options.Lease.TotalMilliseconds }).ConfigureAwait(false);
        return renewed == 1 ? unanswered : null;
    }

    private async Task<bool> ReportAsync(
        StepAddress address, int fence, Func<DatabaseTransaction, RunRow, StepRow, Task<bool>> apply, CancellationToken cancellationToken)
    {
        var accepted = await database.WriteAsync(async transaction =>
            await transaction.LockRunAsync(address.RunId).ConfigureAwait(false) is { } run
            && await transaction.FindStepAsync(run, address.Name).ConfigureAwait(false) is { } step
            && step.Attempt == fence
            && await apply(transaction, run, step).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
        wakeups.AfterChange();
        return accepted;
    }

    /// <summary>Apart from the claim's transaction, which must not wait for a run's row while it holds a step's.</summary>
    private async Task StartRunAsync(Guid runId, CancellationToken cancellationToken)
    {
        var queued = await database.ReadAsync(
            connection => connection.QueryFirstOrDefaultAsync<string>("select state from run where id = @id", new { id = runId.ToString() }),
            cancellationToken).ConfigureAwait(false);
        if (queued != EnumText.Of(RunState.Queued))
            return;
        await database.WriteAsync(async transaction =>
        {
            if (await transaction.LockRunAsync(runId).ConfigureAwait(false) is { } run)
                await transaction.MoveAsync(run, RunEvent.Started).ConfigureAwait(false);
        }, cancellationToken).ConfigureAwait(false);
    }
}
