using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.StateMachine;

namespace Espalier.Orchestrator.Ledger;

/// <summary>
/// Steps whose results are gone wait again, and with them those that would have read the results. Whoever moved the last one counts the
/// needs of the run anew (<see cref="StepNeeds.RecountNeedsAsync"/>).
/// </summary>
internal static class LostResults
{
    /// <summary>A step that had ended well is to be done again.</summary>
    /// <param name="transaction">Holds the run's row.</param>
    /// <param name="run">The run.</param>
    /// <param name="maker">The step.</param>
    /// <param name="message">Why.</param>
    /// <param name="blob">The blob that a reader missed, because of which it is not done a third time; null when nobody missed one yet.</param>
    public static async Task PutBackAsync(this DatabaseTransaction transaction, RunRow run, StepRow maker, string message, Digest? blob)
    {
        await transaction.MoveAsync(run, maker, StepEvent.ResultLost, MessageLimits.Cut(message)).ConfigureAwait(false);
        var lost = blob is { } missed ? JsonColumn.Write(maker.ReadLost().Append(missed)) : maker.Lost;
        await transaction.ExecuteAsync(
            """
            update step set lost = @lost, outputs = null, metrics = null, notes = null, step_key = null, offer = null, worker = null,
                   not_before = 0, failures = 0
             where id = @Id
            """, new { maker.Id, lost }).ConfigureAwait(false);
        run.OpenSteps++;
        await transaction.ExecuteAsync("update run set open_steps = @OpenSteps where id = @Id", new { run.Id, run.OpenSteps }).ConfigureAwait(false);
    }

    /// <summary>A step that was about to read such a result, or did, waits until it is made again.</summary>
    public static async Task WaitForInputAsync(this DatabaseTransaction transaction, RunRow run, StepRow reader, string message)
    {
        await transaction.MoveAsync(
            run, reader, StepEvent.InputLost, MessageLimits.Cut($"Waits for an input that is made again. {message}")).ConfigureAwait(false);
        await transaction.ExecuteAsync(
            "update step set step_key = null, offer = null, worker = null, not_before = 0 where id = @Id", new { reader.Id }).ConfigureAwait(false);
    }
}
