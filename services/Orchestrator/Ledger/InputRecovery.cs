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
        {
            var reason = $"Its result is damaged or gone (blob {loss.Blob.Short}); done again for step '{step.Name}'.";
            await transaction.PutBackAsync(run, maker, reason, loss.Blob).ConfigureAwait(false);
        }
        if (await transaction.CountOpenNeedsAsync(step).ConfigureAwait(false) > 0)
        {
            await transaction.WaitForInputAsync(run, step, failed.Message).ConfigureAwait(false);
            await transaction.RecountNeedsAsync(run.Id).ConfigureAwait(false);
            return true;
        }
        // Made again meanwhile, for another step: this one only has to be tried again.
        var failure = loss.IsOfTheRun ? FailureClass.Transient : failed.Failure;
        return await AttemptEndings.ApplyAsync(transaction, run, step, failure, failed.Message, options).ConfigureAwait(false);
    }
}
