using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using Espalier.Pipelines.Planning;

namespace Espalier.Orchestrator.Api;

/// <summary>What is wrong with a pipeline file, or what it would do.</summary>
/// <param name="Problems">Every problem with its place; empty when there is a plan.</param>
/// <param name="Plan">The plan; null when there are problems.</param>
public sealed record PipelineCheck(IReadOnlyList<Problem> Problems, CheckedPlan? Plan = null);

/// <summary>A plan for people.</summary>
public sealed record CheckedPlan(string Name, IReadOnlyDictionary<string, string> Parameters, IReadOnlyList<CheckedStep> Steps);

/// <summary>One step of it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Kind">Stage kind.</param>
/// <param name="Device">Device class.</param>
/// <param name="Needs">Steps before it.</param>
/// <param name="Line">Where it stands in the file.</param>
/// <param name="IsImplicit">Whether the planner added it.</param>
/// <param name="When">Its condition.</param>
/// <param name="Key">Its step key, when everything that it depends on is known.</param>
/// <param name="IsCached">Whether its result exists.</param>
/// <param name="IsOffered">Whether a live worker offers its kind on its device.</param>
public sealed record CheckedStep(
    string Name, string Kind, string Device, IReadOnlyList<string> Needs, int Line, bool IsImplicit, string? When, Digest? Key, bool IsCached, bool IsOffered);

/// <summary>Pipeline files over HTTP: <c>/api/v1/pipelines</c>. Nothing is started.</summary>
internal static class PipelinesApi
{
    public static void MapPipelinesApi(this IEndpointRouteBuilder app) =>
        app.MapGroup("/api/v1/pipelines").MapGroupFor(ApiRole.Viewer).MapPost("check", CheckAsync);

    /// <summary>The body is the pipeline file; parameters come as <c>?param.NAME=VALUE</c>.</summary>
    private static async Task<IResult> CheckAsync(
        HttpRequest request, IRunPlanner planner, StageCatalog stages, ArtifactStore artifacts, CancellationToken cancellationToken, string file = "pipeline.yaml")
    {
        if (await PipelineBody.ReadAsync(request, cancellationToken).ConfigureAwait(false) is not { } text)
            return PipelineBody.TooLong();
        try
        {
            var submit = new SubmitRun { RunId = Guid.Empty, Pipeline = text, FileName = file, Parameters = PipelineBody.Parameters(request) };
            var plan = await planner.PlanAsync(submit, await stages.ListAsync(cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false);
            return TypedResults.Ok(new PipelineCheck([], await LookUpAsync(plan, stages, artifacts, cancellationToken).ConfigureAwait(false)));
        }
        catch (UserInputException e)
        {
            return TypedResults.Ok(new PipelineCheck(e.Problems));
        }
    }

    /// <summary>Follows cached results as far as they go: behind a step that must be computed no key is known.</summary>
    private static async Task<CheckedPlan> LookUpAsync(PipelinePlan plan, StageCatalog stages, ArtifactStore artifacts, CancellationToken cancellationToken)
    {
        var made = new Dictionary<string, IReadOnlyDictionary<string, ManifestRef>>(StringComparer.Ordinal);
        var steps = new List<CheckedStep>();
        foreach (var step in plan.Steps)
        {
            var stage = await stages.FindLiveAsync(step.Kind, step.Device, cancellationToken).ConfigureAwait(false);
            var key = stage is null || Inputs(step, made) is not { } inputs
                ? null
                : (Digest?)stage.Code.KeyOf(step.Options, inputs).ToDigest();
            var commit = key is { } known ? await artifacts.FindIntactStepAsync(known, cancellationToken).ConfigureAwait(false) : null;
            if (commit is not null)
                made[step.Name] = commit.Outputs;
            steps.Add(new CheckedStep(step.Name, step.Kind, step.Device, step.Needs, step.Line, step.IsImplicit, step.When, key, commit is not null, stage is not null));
        }
        return new CheckedPlan(plan.Name, plan.Parameters, steps);
    }

    private static List<StepInput>? Inputs(PlannedStep step, Dictionary<string, IReadOnlyDictionary<string, ManifestRef>> made)
    {
        var inputs = new List<StepInput>();
        foreach (var input in step.Inputs)
        {
            var artifact = input.Artifact ?? made.GetValueOrDefault(input.Step)?.GetValueOrDefault(input.Output);
            if (artifact is null)
                return null;
            inputs.Add(new StepInput(input.Step, input.As, artifact));
        }
        return inputs;
    }
}
