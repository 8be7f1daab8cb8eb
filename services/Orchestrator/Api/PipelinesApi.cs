using Espalier.Contracts;
using Espalier.Hosting;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using Espalier.Pipelines.Resolution;

namespace Espalier.Orchestrator.Api;

/// <summary>What is wrong with a pipeline file, or what it would do.</summary>
/// <param name="Problems">Every problem with its place; steps that would be refused among them. A file without problems can be submitted.</param>
/// <param name="Plan">The plan with costs, cache hits and reasons; null when the file could not be planned.</param>
public sealed record PipelineCheck(IReadOnlyList<Problem> Problems, ResolvedPlan? Plan = null);

/// <summary>Pipeline files over HTTP: <c>/api/v1/pipelines</c>. Nothing is started.</summary>
internal static class PipelinesApi
{
    public static void MapPipelinesApi(this IEndpointRouteBuilder app) =>
        app.MapGroup("/api/v1/pipelines").MapGroupFor(ApiRole.Submitter).MapPost("check", CheckAsync) // it reads files of this machine
            .Describe<PipelineCheck>("checkPipeline", "What a pipeline file would do, or what is wrong with it; nothing is started.").WithPipelineBody();

    /// <summary>The body is the pipeline file; parameters come as <c>?param.NAME=VALUE</c>.</summary>
    private static async Task<IResult> CheckAsync(
        HttpRequest request, IRunPlanner planner, StageCatalog stages, PlanResolution plans, CancellationToken cancellationToken,
        string file = "pipeline.yaml")
    {
        if (await PipelineBody.ReadAsync(request, cancellationToken).ConfigureAwait(false) is not { } text)
            return PipelineBody.TooLong();
        try
        {
            var submit = new SubmitRun { RunId = Guid.Empty, Pipeline = text, FileName = file, Parameters = PipelineBody.Parameters(request) };
            var offered = await stages.ListAsync(cancellationToken).ConfigureAwait(false);
            var plan = await planner.PlanAsync(submit, offered, cancellationToken).ConfigureAwait(false);
            var resolved = await plans.ResolveAsync(plan, cancellationToken).ConfigureAwait(false);
            return TypedResults.Ok(new PipelineCheck(Refusals(resolved, file), resolved));
        }
        catch (UserInputException e)
        {
            return TypedResults.Ok(new PipelineCheck(e.Problems));
        }
    }

    /// <summary>What <c>espalier plan</c> ends with an error for: steps that their stage would refuse.</summary>
    private static List<Problem> Refusals(ResolvedPlan plan, string file) =>
        [.. plan.Steps.Where(s => s.Decision == StepDecision.Refused).Select(s => new Problem(
            file, s.Line, 1, s.Reason.Contains($"'{s.Name}'", StringComparison.Ordinal) ? s.Reason : $"step '{s.Name}' is refused: {s.Reason}"))];
}
