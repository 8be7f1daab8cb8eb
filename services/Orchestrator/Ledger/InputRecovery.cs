using Espalier.Contracts;
using Espalier.Database;
using Espalier.Orchestrator.StateMachine;

namespace Espalier.Orchestrator.Ledger;

/// <summary>
/// What becomes of a step that found an input damaged or gone: the step that made the input is done again, and this one waits for it.
/// Each maker is done again once for each blob; when the same blob is lost again, the disk is at fault, and the step fails.
/// </summary>
internal static class InputRecovery
{
    /// <summary>Applies the end of the attempt.</summary>
    public static async Task<bool> ApplyAsync(
        DatabaseTransaction transaction, RunRow run, StepRow step, StepFailed failed, InputLoss loss, OrchestratorOptions options)
    {
        var makers = new List<StepRow>();
        foreach (var name in loss.Makers)
        {
            if (await transaction.FindStepAsync(run, name).ConfigureAwait(false) is { } maker && maker.Current.EndedWell())
                makers.Add(maker);
        }
        if (makers.FirstOrDefault(m => m.ReadLost().Contains(loss.Blob)) is { } again)
        {
            var reason = $"Step '{again.Name}' was done again for the blob {loss.Blob.Short} before, and it is lost again: look at the disk or the "
                + $"service of the store. {failed.Message}";
            return await AttemptEndings.ApplyAsync(transaction, run, step, FailureClass.User, MessageLimits.Cut(reason), options).ConfigureAwait(false);
        }
        foreach (var maker in makers)
            await PutBackAsync(transaction, run, maker, step, loss.Blob).ConfigureAwait(false);
        if (await transaction.CountOpenNeedsAsync(step).ConfigureAwait(false) > 0)
            return await WaitAsync(transaction, run, step, failed.Message).ConfigureAwait(false);
        // Made again meanwhile, for another step: this one only has to be tried again.
        var failure = loss.IsOfTheRun ? FailureClass.Transient : failed.Failure;
        return await AttemptEndings.ApplyAsync(transaction, run, step, failure, failed.Message, options).ConfigureAwait(false);
    }

    private static async Task PutBackAsync(DatabaseTransaction transaction, RunRow run, StepRow maker, StepRow reader, Digest blob)
    {
        await transaction.MoveAsync(
            run, maker, StepEvent.ResultLost, $"Its result is damaged or gone (blob {blob.Short}); done again for step '{reader.Name}'.").ConfigureAwait(false);
        await transaction.ExecuteAsync(
            """
            update step set lost = @lost, outputs = null, metrics = null, notes = null, step_key = null, offer = null, worker = null,
                   not_before = 0, failures = 0
             where id = @Id
            """, new { maker.Id, lost = JsonColumn.Write(maker.ReadLost().Append(blob)) }).ConfigureAwait(false);
        run.OpenSteps++;
        await transaction.ExecuteAsync("update run set open_steps = @OpenSteps where id = @Id", new { run.Id, run.OpenSteps }).ConfigureAwait(false);
    }

    private static async Task<bool> WaitAsync(DatabaseTransaction transaction, RunRow run, StepRow step, string message)
    {
        await transaction.MoveAsync(
            run, step, StepEvent.InputLost, MessageLimits.Cut($"Waits for an input that is made again. {message}")).ConfigureAwait(false);
        await transaction.ExecuteAsync(
            "update step set step_key = null, offer = null, worker = null, not_before = 0 where id = @Id", new { step.Id }).ConfigureAwait(false);
        await transaction.RecountNeedsAsync(run.Id).ConfigureAwait(false);
        return true;
    }
}
