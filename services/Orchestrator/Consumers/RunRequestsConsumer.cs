using Espalier.Contracts;
using Espalier.Orchestrator.Archive;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using MassTransit;

namespace Espalier.Orchestrator.Consumers;

/// <summary>Answers requests to submit, cancel and resume runs.</summary>
internal sealed class RunRequestsConsumer(RunSubmission submission, RunLedger ledger) :
    IConsumer<SubmitRun>, IConsumer<CancelRun>, IConsumer<ResumeRun>
{
    public async Task Consume(ConsumeContext<SubmitRun> context)
    {
        try
        {
            await context.RespondAsync(await submission.SubmitAsync(context.Message, context.CancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (UserInputException e)
        {
            await context.RespondAsync(new RunRejected([.. e.Problems.Take(MessageLimits.MostProblems)])).ConfigureAwait(false);
        }
        catch (RunIdTakenException e)
        {
            await context.RespondAsync(new RunRejected([new Problem("id", 0, 0, e.Message)])).ConfigureAwait(false);
        }
    }

    public async Task Consume(ConsumeContext<CancelRun> context) =>
        await AnswerAsync(context, context.Message.RunId,
            await ledger.CancelAsync(context.Message, context.CancellationToken).ConfigureAwait(false)).ConfigureAwait(false);

    public async Task Consume(ConsumeContext<ResumeRun> context)
    {
        try
        {
            await AnswerAsync(context, context.Message.RunId,
                await ledger.ResumeAsync(context.Message.RunId, context.CancellationToken).ConfigureAwait(false)).ConfigureAwait(false);
        }
        catch (RunArchivedException e)
        {
            await context.RespondAsync(new RunRejected([new Problem("run", 0, 0, e.Message)])).ConfigureAwait(false);
        }
    }

    private static Task AnswerAsync(ConsumeContext context, Guid runId, RunStateChanged? state) =>
        state is null
            ? context.RespondAsync(new RunRejected([new Problem("run", 0, 0, $"There is no run {runId}.")]))
            : context.RespondAsync(state);
}
