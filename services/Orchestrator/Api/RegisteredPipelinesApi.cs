using Espalier.Contracts;
using Espalier.Hosting;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Scheduling;
using Espalier.Orchestrator.Triggers;

namespace Espalier.Orchestrator.Api;

/// <summary>Pipelines that have a name: <c>/api/v1/pipelines/NAME</c>.</summary>
internal static class RegisteredPipelinesApi
{
    public static void MapRegisteredPipelinesApi(this IEndpointRouteBuilder app)
    {
        var pipelines = app.MapGroup("/api/v1/pipelines");
        var read = pipelines.MapGroupFor(ApiRole.Viewer);
        read.MapGet("", async (RegisteredPipelines store, CancellationToken cancellationToken) =>
            TypedResults.Ok(await store.ListAsync(cancellationToken).ConfigureAwait(false)))
            .Describe<IReadOnlyList<PipelineView>>("listPipelines", "Pipelines that have a name.");
        read.MapGet("{name}", ShowAsync).Describe<PipelineView>("findPipeline", "One pipeline with its text, its versions and its triggers.");
        var write = pipelines.MapGroupFor(ApiRole.Submitter);
        write.MapPut("{name}", AddAsync).Describe<PipelineView>("addPipeline", "Keeps a pipeline file under a name, as its next version.").WithPipelineBody();
        write.MapDelete("{name}", RemoveAsync).Describe<RemovedPipeline>("removePipeline", "Removes a pipeline; its runs stay.");
        write.MapPost("{name}/runs", SubmitAsync)
            .Describe<RunAccepted>("submitPipeline", "Starts a run of the newest version.", StatusCodes.Status202Accepted).WithParameters();
    }

    /// <summary><c>?version=</c> names an older version; its triggers are those of the newest, which are the ones that act.</summary>
    private static async Task<IResult> ShowAsync(
        string name, RegisteredPipelines pipelines, CancellationToken cancellationToken, int? version = null) =>
        await pipelines.ShowAsync(name, version, cancellationToken).ConfigureAwait(false) is { } found ? TypedResults.Ok(found) : Missing(name);

    /// <summary>The body is the pipeline file. A further version of a pipeline replaces the one before.</summary>
    private static async Task<IResult> AddAsync(
        string name, HttpRequest request, PipelineAddition addition, CancellationToken cancellationToken, string file = "pipeline.yaml")
    {
        if (await PipelineBody.ReadAsync(request, cancellationToken).ConfigureAwait(false) is not { } text)
            return PipelineBody.TooLong();
        var caller = request.HttpContext.Caller()!;
        try
        {
            return TypedResults.Ok(await addition.AddAsync(
                name, file, text, caller.Name, caller.Role == ApiRole.Admin, cancellationToken).ConfigureAwait(false));
        }
        catch (UserInputException e)
        {
            return TypedResults.UnprocessableEntity(new RunRejected(e.Problems));
        }
        catch (NotOwnerException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status403Forbidden);
        }
    }

    private static async Task<IResult> RemoveAsync(string name, HttpContext http, RegisteredPipelines pipelines, CancellationToken cancellationToken)
    {
        var caller = http.Caller()!;
        try
        {
            return await pipelines.RemoveAsync(name, caller.Name, caller.Role == ApiRole.Admin, cancellationToken).ConfigureAwait(false)
                ? TypedResults.Ok(new RemovedPipeline(name))
                : Missing(name);
        }
        catch (NotOwnerException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status403Forbidden);
        }
    }

    /// <summary>
    /// Starts a run of the newest version; parameters come as <c>?param.NAME=VALUE</c>, a client-chosen id as <c>?id=</c>, and what the run is
    /// for as <c>?reason=</c>.
    /// </summary>
    private static async Task<IResult> SubmitAsync(
        string name, HttpRequest request, RegisteredPipelines pipelines, RunSubmission submission, CancellationToken cancellationToken,
        Guid? id = null, string reason = "")
    {
        if (PipelineBody.RefuseReason(reason) is { } tooLong)
            return tooLong;
        if (await pipelines.FindAsync(name, cancellationToken).ConfigureAwait(false) is not { } pipeline)
            return Missing(name);
        try
        {
            var accepted = await submission.SubmitAsync(new SubmitRun
            {
                RunId = id ?? Guid.NewGuid(),
                Pipeline = pipeline.Yaml,
                FileName = pipeline.FileName,
                Parameters = PipelineBody.Parameters(request),
                SubmittedBy = request.HttpContext.Caller()!.Name,
                Reason = reason,
            }, cancellationToken, new RunOrigin
            {
                Pipeline = pipeline.Name,
                Version = pipeline.Version,
                Owner = request.HttpContext.Caller()!.Name,
            }).ConfigureAwait(false);
            return TypedResults.Accepted($"/api/v1/runs/{accepted.RunId}", accepted);
        }
        catch (UserInputException e)
        {
            return TypedResults.UnprocessableEntity(new RunRejected(e.Problems));
        }
    }

    private static IResult Missing(string name) => TypedResults.Problem(
        $"There is no pipeline '{name}': see espalier pipelines list.", statusCode: StatusCodes.Status404NotFound);
}

/// <summary>The pipeline that was removed.</summary>
public sealed record RemovedPipeline(string Removed);
