using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Results;
using Espalier.Orchestrator.Scheduling;
using Espalier.Orchestrator.StateMachine;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Api;

/// <summary>What is behind a run: its file, what its steps measure and reported; and starting it again.</summary>
internal static class RunDetailsApi
{
    private const string ReportFile = "report.json";
    private const long LongestReport = 32L << 20;

    /// <summary>The pipeline file of a run.</summary>
    public static async Task<IResult> SourceAsync(Guid id, RunSources sources, CancellationToken cancellationToken) =>
        await sources.FindAsync(id, cancellationToken).ConfigureAwait(false) is { } source ? TypedResults.Ok(source) : MissingRun(id);

    /// <summary>The steps of a run with every option as its stage got it, and the same as a pipeline file.</summary>
    public static async Task<IResult> PlanAsync(Guid id, RunSources sources, IRunReader runs, CancellationToken cancellationToken)
    {
        if (await runs.FindAsync(id, cancellationToken).ConfigureAwait(false) is not { } run)
            return MissingRun(id);
        return await sources.FindPlanAsync(id, cancellationToken).ConfigureAwait(false) is { } steps
            ? TypedResults.Ok(new RunPlanView(run.Name, steps, ResolvedPipelineText.Write(run.Name, steps)))
            : TypedResults.Problem($"Run {id} was archived by a version that did not keep its plan.", statusCode: StatusCodes.Status404NotFound);
    }

    /// <summary>The models that a run made with their numbers, and what these say in words.</summary>
    public static async Task<IResult> ResultsAsync(Guid id, RunFindings findings, CancellationToken cancellationToken) =>
        await findings.ResultsAsync(id, cancellationToken).ConfigureAwait(false) is { } results ? TypedResults.Ok(results) : MissingRun(id);

    /// <summary>What the steps of a run took, and what they were expected to take.</summary>
    public static async Task<IResult> CostsAsync(Guid id, RunFindings findings, CancellationToken cancellationToken) =>
        await findings.CostsAsync(id, cancellationToken).ConfigureAwait(false) is { } costs ? TypedResults.Ok(costs) : MissingRun(id);

    /// <summary>What a step has measured so far, for charts; empty when this orchestrator has heard nothing of it.</summary>
    public static async Task<IResult> ProgressAsync(Guid id, string step, IRunReader runs, LiveProgress progress, CancellationToken cancellationToken) =>
        await FindStepAsync(id, step, runs, cancellationToken).ConfigureAwait(false) is (_, null, var problem)
            ? problem!
            : TypedResults.Ok(progress.HistoryOf(id, step));

    /// <summary>The report that a step made, <c>report.json</c>, as it is in the store.</summary>
    public static async Task<IResult> ReportAsync(Guid id, string step, IRunReader runs, ArtifactStore artifacts, CancellationToken cancellationToken)
    {
        var (_, view, problem) = await FindStepAsync(id, step, runs, cancellationToken).ConfigureAwait(false);
        if (view is null)
            return problem!;
        if (!view.Outputs.TryGetValue(OutputNames.Report, out var report))
            return TypedResults.Problem($"Step '{step}' made no report.", statusCode: StatusCodes.Status404NotFound);
        var manifest = await artifacts.ReadAsync(report.Root, cancellationToken).ConfigureAwait(false);
        if (manifest.Files.FirstOrDefault(f => f.Path == ReportFile) is not { } file || file.SizeBytes > LongestReport)
            return TypedResults.Problem($"The report of step '{step}' has no {ReportFile} that can be shown.", statusCode: StatusCodes.Status404NotFound);
        return TypedResults.Stream(await artifacts.Blobs.OpenReadAsync(file.Blob, 0, null, cancellationToken).ConfigureAwait(false), "application/json");
    }

    /// <summary>
    /// Starts an ended run again from a step on, as a new run of the same file: the results of that step and of all behind it
    /// are forgotten and computed anew, the others come from the cache.
    /// </summary>
    public static async Task<IResult> RerunAsync(
        Guid id, string step, HttpContext http, IRunReader runs, RunSources sources, RunSubmission submission, ArtifactStore artifacts,
        CancellationToken cancellationToken)
    {
        var (run, view, problem) = await FindStepAsync(id, step, runs, cancellationToken).ConfigureAwait(false);
        if (view is null)
            return problem!;
        if (!run!.State.IsEnded())
            return TypedResults.Problem($"Run {id} has not ended: cancel it first, or wait.", statusCode: StatusCodes.Status409Conflict);
        var source = (await sources.FindAsync(id, cancellationToken).ConfigureAwait(false))!;
        try
        {
            foreach (var key in FromHereOn(run.Steps, step).Select(s => s.Key).OfType<Digest>())
                await artifacts.ForgetStepAsync(key, cancellationToken).ConfigureAwait(false);
            var again = new SubmitRun
            {
                RunId = Guid.NewGuid(), Pipeline = source.Pipeline, FileName = source.FileName, Parameters = source.Parameters,
                SubmittedBy = http.Caller()!.Name, Reason = $"run {id} again from step {step}",
            };
            var accepted = await submission.SubmitAsync(again, cancellationToken).ConfigureAwait(false);
            return TypedResults.Accepted($"/api/v1/runs/{accepted.RunId}", accepted);
        }
        catch (UserInputException e)
        {
            return TypedResults.UnprocessableEntity(new RunRejected(e.Problems));
        }
    }

    /// <summary>A step and all that need it; steps come in planned order, each behind what it needs.</summary>
    private static List<StepView> FromHereOn(IReadOnlyList<StepView> steps, string first)
    {
        var names = new HashSet<string>(StringComparer.Ordinal) { first };
        return [.. steps.Where(s => names.Contains(s.Name) || (s.Needs.Any(names.Contains) && names.Add(s.Name)))];
    }

    /// <summary>The refusal of a step that a run does not have.</summary>
    public static IResult MissingStep(RunView run, string step) => TypedResults.Problem(
        $"Run {run.RunId} has no step '{step}'; it has {string.Join(", ", run.Steps.Select(s => s.Name))}.", statusCode: StatusCodes.Status404NotFound);

    /// <summary>A step of a run; else the refusal.</summary>
    public static async Task<(RunView? Run, StepView? Step, IResult? Problem)> FindStepAsync(
        Guid id, string step, IRunReader runs, CancellationToken cancellationToken)
    {
        if (await runs.FindAsync(id, cancellationToken).ConfigureAwait(false) is not { } run)
            return (null, null, MissingRun(id));
        return run.Steps.FirstOrDefault(s => s.Name == step) is { } found
            ? (run, found, null)
            : (run, null, MissingStep(run, step));
    }

    private static IResult MissingRun(Guid id) => TypedResults.Problem($"There is no run {id}.", statusCode: StatusCodes.Status404NotFound);
}
