using Dapper;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Archive;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Notices;
using Espalier.Orchestrator.StateMachine;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Ledger;

/// <summary>Submits, cancels and resumes runs.</summary>
internal sealed class RunLedger(LedgerDatabase database, Wakeups wakeups, OrchestratorOptions options)
{
    /// <summary>The number of a new run: above every other, archived or not.</summary>
    private const string NextNumber =
        "(select max(n) + 1 from (select coalesce(max(number), 0) as n from run union all select coalesce(max(number), 0) from run_archive) numbers)";

    /// <summary>Writes a run with all its steps, once: a repeat of the same file with the same id changes nothing and returns false.</summary>
    /// <exception cref="RunIdTakenException">The id is that of a run of another file, or of other parameters.</exception>
    public async Task<bool> SubmitAsync(SubmitRun submit, PipelinePlan plan, CancellationToken cancellationToken, RunOrigin? origin = null)
    {
        var created = await database.WriteAsync(
            transaction => InsertAsync(transaction, submit, plan, origin), cancellationToken).ConfigureAwait(false);
        wakeups.AfterChange();
        return created;
    }

    /// <summary>Writes a run in a transaction that does more, such as noting which event it is for.</summary>
    /// <inheritdoc cref="SubmitAsync"/>
    public static async Task<bool> InsertAsync(DatabaseTransaction transaction, SubmitRun submit, PipelinePlan plan, RunOrigin? origin)
    {
        var run = new RunRow
        {
            Id = submit.RunId.ToString(),
            Name = plan.Name,
            State = EnumText.Of(RunState.Queued),
            OpenSteps = plan.Steps.Count,
            CreatedAt = transaction.Now,
        };
        if (await transaction.FindArchivedAsync(submit.RunId).ConfigureAwait(false) is { } archived)
        {
            return archived.Source.Pipeline == submit.Pipeline && JsonColumn.Write(archived.Source.Parameters) == JsonColumn.Write(plan.Parameters)
                ? false
                : throw new RunIdTakenException(submit.RunId, archived.Run.Name);
        }
        var inserted = await transaction.ExecuteAsync(
            $"""
            insert into run (id, number, name, file_name, pipeline, parameters, state, open_steps, created_at, submitted_by, reason)
            values (@Id, {NextNumber}, @Name, @FileName, @Pipeline, @parameters, @State, @OpenSteps, @CreatedAt, @SubmittedBy, @Reason)
            on conflict (id) do nothing
            """,
            new { run.Id, run.Name, submit.FileName, submit.Pipeline, parameters = JsonColumn.Write(plan.Parameters), run.State, run.OpenSteps,
                run.CreatedAt, submit.SubmittedBy, submit.Reason }).ConfigureAwait(false);
        if (inserted == 0)
        {
            await RequireSameAsync(transaction, run, submit, JsonColumn.Write(plan.Parameters)).ConfigureAwait(false);
            return false;
        }
        var ordinal = await transaction.FindAsync<long>(
            "insert into run_name (name, last) values (@Name, 1) on conflict (name) do update set last = run_name.last + 1 returning last",
            new { run.Name }).ConfigureAwait(false);
        await transaction.ExecuteAsync("update run set ordinal = @ordinal where id = @Id", new { ordinal, run.Id }).ConfigureAwait(false);
        if (origin is not null)
            await origin.InsertAsync(transaction, run.Id).ConfigureAwait(false);
        await transaction.AddNoticesAsync(run, plan.Notices).ConfigureAwait(false);
        await InsertStepsAsync(transaction, run, plan).ConfigureAwait(false);
        await transaction.RecordChangeAsync(run).ConfigureAwait(false);
        if (plan.Steps.Count == 0)
            await transaction.CloseAsync(run, 0).ConfigureAwait(false);
        return true;
    }

    /// <summary>What people call a run that is not archived (<see cref="RunView.Label"/>), or null.</summary>
    public Task<string?> FindLabelAsync(Guid runId, CancellationToken cancellationToken) =>
        database.ReadAsync(async connection => await connection.QueryFirstOrDefaultAsync<(string Name, long Ordinal)?>(
            "select name, ordinal from run where id = @id", new { id = runId.ToString() }).ConfigureAwait(false) is { } run
            ? RunView.LabelOf(run.Name, run.Ordinal, runId)
            : null, cancellationToken);

    /// <summary>Asks a run to stop: what has not started ends now, what runs gets a deadline. Null for an unknown run.</summary>
    public async Task<RunStateChanged?> CancelAsync(CancelRun cancel, CancellationToken cancellationToken)
    {
        var answer = await database.WriteAsync(transaction => CancelAsync(transaction, cancel), cancellationToken).ConfigureAwait(false);
        wakeups.AfterChange();
        return answer;
    }

    /// <inheritdoc cref="CancelAsync(CancelRun, CancellationToken)"/>
    public async Task<RunStateChanged?> CancelAsync(DatabaseTransaction transaction, CancelRun cancel)
    {
        if (await transaction.LockRunAsync(cancel.RunId).ConfigureAwait(false) is not { } run)
            return await transaction.FindArchivedAsync(cancel.RunId).ConfigureAwait(false) is { } archived ? Describe(archived.Run) : null;
        if (!run.Current.IsEnded() && !run.IsCancelling)
            await BeginCancelAsync(transaction, run, cancel.Reason).ConfigureAwait(false);
        return Describe(run);
    }

    /// <summary>Makes failed, cancelled and skipped steps of an ended run wait again. Null for an unknown run.</summary>
    /// <exception cref="RunArchivedException">The run is archived, and would have to go on.</exception>
    public async Task<RunStateChanged?> ResumeAsync(Guid runId, CancellationToken cancellationToken)
    {
        var answer = await database.WriteAsync(async transaction =>
        {
            if (await transaction.LockRunAsync(runId).ConfigureAwait(false) is not { } run)
                return await transaction.FindArchivedAsync(runId).ConfigureAwait(false) is { } archived ? Refuse(archived.Run) : null;
            if (RunTransitions.Next(run.Current, RunEvent.Resumed) is not null)
                await ReopenAsync(transaction, run).ConfigureAwait(false);
            return Describe(run);
        }, cancellationToken).ConfigureAwait(false);
        wakeups.AfterChange();
        return answer;
    }

    private static async Task RequireSameAsync(DatabaseTransaction transaction, RunRow run, SubmitRun submit, string parameters)
    {
        var known = await transaction.FindAsync<(string Name, string Pipeline, string Parameters)>(
            "select name, pipeline, parameters from run where id = @Id", new { run.Id }).ConfigureAwait(false);
        if (known.Pipeline != submit.Pipeline || known.Parameters != parameters)
            throw new RunIdTakenException(submit.RunId, known.Name);
    }

    /// <summary>An archived run that ended well has nothing to go on with; another one cannot.</summary>
    private static RunStateChanged Refuse(RunView archived) =>
        RunTransitions.Next(archived.State, RunEvent.Resumed) is null ? Describe(archived) : throw new RunArchivedException(archived);

    private static RunStateChanged Describe(RunView run) => new(run.RunId, run.Name, run.State, run.Message);

    private static RunStateChanged Describe(RunRow run) => new(run.RunId, run.Name, run.Current, run.Message);

    private static async Task InsertStepsAsync(DatabaseTransaction transaction, RunRow run, PipelinePlan plan)
    {
        for (var position = 0; position < plan.Steps.Count; position++)
        {
            var step = plan.Steps[position];
            await transaction.ExecuteAsync(
                """
                insert into step (run_id, name, position, kind, device, priority, run_created_at, plan, state, waiting_on, timeout_ms)
                values (@Id, @Name, @position, @Kind, @Device, @Priority, @CreatedAt, @plan, @state, @waitingOn, @timeout)
                """,
                new
                {
                    run.Id,
                    step.Name,
                    position,
                    step.Kind,
                    step.Device,
                    step.Priority,
                    run.CreatedAt,
                    plan = JsonColumn.Write(step),
                    state = EnumText.Of(StepState.Waiting),
                    waitingOn = step.Needs.Count,
                    timeout = (long?)step.Timeout?.TotalMilliseconds,
                }).ConfigureAwait(false);
            foreach (var needs in step.Needs)
            {
                await transaction.ExecuteAsync(
                    "insert into step_need (run_id, name, needs) values (@Id, @Name, @needs)", new { run.Id, step.Name, needs }).ConfigureAwait(false);
            }
        }
    }

    private async Task BeginCancelAsync(DatabaseTransaction transaction, RunRow run, string reason)
    {
        reason = LedgerText.Clean(reason);
        run.Message = $"Cancel requested: {reason}";
        run.CancelUntil = transaction.Now + (long)options.CancelGrace.TotalMilliseconds;
        await transaction.ExecuteAsync("update run set message = @Message, cancel_until = @CancelUntil where id = @Id", run).ConfigureAwait(false);
        var idle = await transaction.QueryAsync<StepRow>(
            $"select * from step where run_id = @Id and state in ('waiting', 'ready') {transaction.Dialect.ForUpdate}", new { run.Id }).ConfigureAwait(false);
        var ended = await transaction.QueryAsync<string>(
            """
            update step set state = @cancelled, ended_at = @Now, message = @reason, same_as = null
             where run_id = @Id and state in ('waiting', 'ready')
            returning name
            """,
            new { run.Id, transaction.Now, reason,
                cancelled = EnumText.Of(StepTransitions.Next(StepState.Ready, StepEvent.CancelRequested)!.Value) }).ConfigureAwait(false);
        foreach (var step in idle.Where(s => ended.Contains(s.Name)))
        {
            await transaction.RecordChangeAsync(run.Id, step.Name, StepState.Cancelled, step.Attempt, reason).ConfigureAwait(false);
            if (step.StepKey is not null)
                await transaction.ExecuteAsync("update step set same_as = null where same_as = @StepKey", new { step.StepKey }).ConfigureAwait(false);
        }
        await transaction.RecordChangeAsync(run).ConfigureAwait(false);
        await transaction.CloseAsync(run, ended.Count).ConfigureAwait(false);
    }

    private static async Task ReopenAsync(DatabaseTransaction transaction, RunRow run)
    {
        var reopened = await transaction.QueryAsync<StepRow>(
            """
            update step set state = 'waiting', message = '', failure = null, ended_at = null, started_at = null, worker = null,
                   not_before = 0, failures = 0, crashes = 0, losses = 0, same_as = null, step_key = null,
                   lost = null
             where run_id = @Id and state in ('failed', 'cancelled', 'skipped')
            returning *
            """, new { run.Id }).ConfigureAwait(false);
        await transaction.RecountNeedsAsync(run.Id).ConfigureAwait(false);
        run.OpenSteps = reopened.Count;
        await transaction.ExecuteAsync("update run set open_steps = @OpenSteps where id = @Id", new { run.Id, run.OpenSteps }).ConfigureAwait(false);
        await transaction.MoveAsync(run, RunEvent.Resumed).ConfigureAwait(false);
        foreach (var step in reopened)
            await transaction.RecordChangeAsync(run.Id, step.Name, StepState.Waiting, step.Attempt, "").ConfigureAwait(false);
    }
}

/// <summary>A run was submitted under the id of another one.</summary>
internal sealed class RunIdTakenException(Guid id, string name)
    : Exception($"Run {id} exists already and is of another file or other parameters ('{name}'): submit under a new id.");
