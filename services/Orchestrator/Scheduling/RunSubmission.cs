using System.Text;
using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.FaultInjection;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Results;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Scheduling;

/// <summary>Takes a pipeline file: plans it against the stages that workers offer and writes the run.</summary>
internal sealed class RunSubmission(
    RunLedger ledger, StageCatalog stages, IRunPlanner planner, ArtifactStore artifacts, RunTraces traces, TimeProvider time, ILogger<RunSubmission> logger,
    RunEstimates? estimates = null)
{
    private const long LongestPipeline = 8L << 20;

    /// <summary>Within this time after the start, a file that does not fit is looked at again when workers say what they offer.</summary>
    private static readonly TimeSpan StartGrace = TimeSpan.FromSeconds(25);
    private static readonly TimeSpan WaitForNews = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan LookAgain = TimeSpan.FromSeconds(1);
    private readonly long _started = time.GetTimestamp();

    /// <summary>Accepts the run. A repeat with the same id is accepted again and changes nothing.</summary>
    /// <exception cref="UserInputException">The file is wrong; every problem with its place.</exception>
    public async Task<RunAccepted> SubmitAsync(SubmitRun submit, CancellationToken cancellationToken, RunOrigin? origin = null)
    {
        using var root = RunTraces.Begin(submit.RunId);
        submit = await FillAsync(submit, cancellationToken).ConfigureAwait(false);
        var plan = await PlanAsync(submit, cancellationToken).ConfigureAwait(false);
        if (await ledger.SubmitAsync(submit, plan, cancellationToken, origin).ConfigureAwait(false))
        {
            OrchestratorLog.RunAccepted(logger, submit.RunId, plan.Name, plan.Steps.Count);
            estimates?.Add(submit.RunId, plan);
            await traces.SaveAsync(submit.RunId, root, cancellationToken).ConfigureAwait(false);
        }
        Faults.Reach(FaultPoints.SubmitAnswer);
        return new RunAccepted(submit.RunId, plan.Name)
        {
            Label = await ledger.FindLabelAsync(submit.RunId, cancellationToken).ConfigureAwait(false),
            Note = origin is null ? NoteOn(plan) : null,
        };
    }

    /// <summary>Triggers of a file that is only submitted do nothing, which its author may not expect.</summary>
    private static string? NoteOn(PipelinePlan plan) => plan.Triggers.Count == 0
        ? null
        : $"The file has triggers (on: {string.Join(", ", plan.Triggers.Select(t => t.Label))}). They do not act for a file that is only submitted: "
            + "espalier pipelines add FILE keeps the pipeline under its name and switches them on.";

    private async Task<SubmitRun> FillAsync(SubmitRun submit, CancellationToken cancellationToken)
    {
        if (submit.PipelineBlob is not { } blob)
            return submit;
        var length = await artifacts.Blobs.FindLengthAsync(blob, cancellationToken).ConfigureAwait(false)
            ?? throw new UserInputException($"The store has no pipeline file {blob.Short}: upload it before the run is submitted.");
        if (length > LongestPipeline)
        {
            throw new UserInputException(
                $"The pipeline file has {length} bytes; it may have {LongestPipeline}. Use 'matrix' instead of writing out every stage.");
        }
        var bytes = new byte[length];
        artifacts.Blobs.ReadExactly(blob, 0, bytes);
        return submit with { Pipeline = Encoding.UTF8.GetString(bytes), PipelineBlob = null };
    }

    private async Task<PipelinePlan> PlanAsync(SubmitRun submit, CancellationToken cancellationToken)
    {
        var asked = time.GetTimestamp();
        while (true)
        {
            var nextOffer = stages.NextOffer();
            var offered = await stages.ListAsync(cancellationToken).ConfigureAwait(false);
            try
            {
                return await planner.PlanAsync(submit, offered, cancellationToken).ConfigureAwait(false);
            }
            catch (UserInputException) when (Patience(offered.Count, asked) is { Ticks: > 0 } patience)
            {
                // A worker that starts just now may offer what is missing: to this process, or to another on the same database.
                await Task.WhenAny(nextOffer, Task.Delay(patience < LookAgain ? patience : LookAgain, time, cancellationToken)).ConfigureAwait(false);
                cancellationToken.ThrowIfCancellationRequested();
            }
        }
    }

    /// <summary>How long to wait for another offer: none once the process has run for a while.</summary>
    private TimeSpan Patience(int offered, long asked)
    {
        var grace = StartGrace - time.GetElapsedTime(_started);
        // The first worker loads its tensor library before it says anything; that can take long on a cold disk.
        var limit = offered == 0 ? grace : WaitForNews - time.GetElapsedTime(asked);
        return limit < grace ? limit : grace;
    }
}
