using System.Buffers.Binary;
using System.Text;
using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.StateMachine;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Ledger;

/// <summary>What becomes of a step whose attempt ended without a result: tried again, parked, given up, or stopped.</summary>
internal static class AttemptEndings
{
    /// <summary>Doubling ends here; a pipeline that asks for a longer first wait gets it every time.</summary>
    private static readonly TimeSpan LongestDoubled = TimeSpan.FromMinutes(5);

    /// <summary>Pauses while a store or a disk is in trouble double up to this, so that a step goes on soon after it is mended.</summary>
    private static readonly TimeSpan LongestOutagePause = TimeSpan.FromSeconds(10);

    /// <summary>Applies the end of an attempt. A null failure is a release on purpose; an outage is none of the attempts that are allowed.</summary>
    public static async Task<bool> ApplyAsync(
        DatabaseTransaction transaction, RunRow run, StepRow step, FailureClass? failure, string message, OrchestratorOptions options,
        bool isOutage = false)
    {
        if (run.IsCancelling && failure != FailureClass.User)
            return await transaction.MoveAsync(run, step, StepEvent.Stopped, failure is null ? message : "Stopped on request.").ConfigureAwait(false);
        if (failure is null)
            return await RetryAsync(transaction, run, step, StepEvent.Released, message, failure, TimeSpan.Zero).ConfigureAwait(false);

        var retry = step.ReadRetry();
        if (isOutage && options.WaitsOutOutages)
        {
            var pause = Backoff(retry, step, step.Attempt);
            pause = pause < LongestOutagePause ? pause : LongestOutagePause;
            return await RetryAsync(transaction, run, step, StepEvent.AttemptFailed, message, failure, pause).ConfigureAwait(false);
        }
        var (failures, crashes) = (step.Failures + 1, step.Crashes + (failure == FailureClass.Poison ? 1 : 0));
        var shrinks = step.Shrinks + (failure == FailureClass.Resource ? 1 : 0);
        await transaction.ExecuteAsync(
            "update step set failures = @failures, crashes = @crashes, shrinks = @shrinks where id = @Id",
                new { step.Id, failures, crashes, shrinks }).ConfigureAwait(false);
        if (failure == FailureClass.Resource)
            await AskForMoreMemoryAsync(transaction, step).ConfigureAwait(false);
        var isOver = failure switch
        {
            FailureClass.User => true,
            FailureClass.Poison => crashes >= options.CrashLimit,
            _ => failures >= retry.Attempts,
        };
        if (!isOver)
            return await RetryAsync(transaction, run, step, StepEvent.AttemptFailed, message, failure, Backoff(retry, step, failures)).ConfigureAwait(false);
        var last = failure switch
        {
            FailureClass.User => message,
            FailureClass.Poison => $"Parked after {crashes} crashes of its work process. Last: {message}",
            _ => $"Given up after {failures} attempts. Last: {message}",
        };
        return await transaction.MoveAsync(run, step, StepEvent.GaveUp, last, failure).ConfigureAwait(false);
    }

    /// <summary>Ends an attempt whose lease was not renewed in time.</summary>
    public static async Task<bool> ExpireLeaseAsync(DatabaseTransaction transaction, RunRow run, StepRow step, OrchestratorOptions options)
    {
        var message = $"Worker {step.Worker} was not heard from for {options.Lease.TotalSeconds:0.#} s.";
        if (run.IsCancelling)
            return await transaction.MoveAsync(run, step, StepEvent.Stopped, message).ConfigureAwait(false);
        OrchestratorTelemetry.LeaseLost(step.Kind);
        var losses = step.Losses + 1;
        await transaction.ExecuteAsync("update step set losses = @losses where id = @Id", new { step.Id, losses }).ConfigureAwait(false);
        return losses >= options.LossLimit
            ? await transaction.MoveAsync(
                run, step, StepEvent.GaveUp, $"Parked after {losses} lost workers. Last: {message}", FailureClass.Poison).ConfigureAwait(false)
            : await RetryAsync(transaction, run, step, StepEvent.AttemptFailed, message, null, TimeSpan.Zero).ConfigureAwait(false);
    }

    /// <summary>
    /// The next attempt asks for half as much again as this one, or, where nothing was known, for all that the largest has: so it goes to a
    /// worker with more room, or has its own worker to itself. Never for more than the largest worker has, since it also works in smaller parts.
    /// </summary>
    private static async Task AskForMoreMemoryAsync(DatabaseTransaction transaction, StepRow step)
    {
        var workers = await transaction.QueryAsync<WorkerRow>("select name, device, slots, memory_bytes, classes from worker").ConfigureAwait(false);
        var largest = workers.SelectMany(w => w.ReadClasses()).Where(c => c.Name == step.Device).Select(c => c.LargestStepBytes).DefaultIfEmpty().Max();
        var more = step.MemoryBytes * 3 / 2;
        var asked = largest > 0 && (more is null || largest < more) ? largest : more;
        await transaction.ExecuteAsync("update step set memory_bytes = @asked where id = @Id", new { step.Id, asked }).ConfigureAwait(false);
    }

    private static async Task<bool> RetryAsync(
        DatabaseTransaction transaction, RunRow run, StepRow step, StepEvent happened, string message, FailureClass? failure, TimeSpan wait)
    {
        if (!await transaction.MoveAsync(run, step, happened, message, failure).ConfigureAwait(false))
            return false;
        var notBefore = transaction.Now + (long)wait.TotalMilliseconds;
        await transaction.ExecuteAsync(
            "update step set not_before = @notBefore, ready_at = @notBefore, worker = null where id = @Id", new { step.Id, notBefore }).ConfigureAwait(false);
        await transaction.HintAsync(step, notBefore).ConfigureAwait(false);
        return true;
    }

    /// <summary>
    /// Doubles with every failure, and is never less than what the pipeline asks for; spread by up to a quarter, so that steps that failed
    /// together do not return together.
    /// </summary>
    internal static TimeSpan Backoff(RetryPolicy retry, StepRow step, int failures)
    {
        var spread = BinaryPrimitives.ReadUInt16LittleEndian(
            System.Security.Cryptography.SHA256.HashData(Encoding.UTF8.GetBytes($"{step.RunId}/{step.Name}/{step.Attempt}"))) / (double)ushort.MaxValue;
        var longest = retry.Backoff > LongestDoubled ? retry.Backoff : LongestDoubled;
        var doubled = retry.Backoff.TotalSeconds * Math.Pow(2, Math.Min(failures, 50) - 1);
        return TimeSpan.FromSeconds(Math.Min(doubled, longest.TotalSeconds) * (1 + spread / 4));
    }
}
