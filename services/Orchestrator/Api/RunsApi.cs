using System.Text.Json;
using Espalier.Contracts;
using Espalier.Hosting;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Archive;
using Espalier.Orchestrator.Database;
using Espalier.Orchestrator.Ledger;
using Espalier.Orchestrator.Results;
using Espalier.Orchestrator.Scheduling;

namespace Espalier.Orchestrator.Api;

/// <summary>The orchestrator over HTTP: runs under <c>/api/v1/runs</c>, and what is beside them. Every endpoint needs a key.</summary>
public static class RunsApi
{
    private const int MostRuns = 1000;

    /// <summary>Adds what the endpoints need.</summary>
    public static IServiceCollection AddRunsApi(this IServiceCollection services)
    {
        services.AddHttpJson(WireJson.Options);
        services.AddApiDocument(
            "Espalier orchestrator", "Runs, pipelines, triggers, queues and keys. Keys go into the header: Authorization: Bearer KEY.",
            new Dictionary<Type, string> { [typeof(Digest)] = Digest.Pattern });
        return services.AddSingleton<ApiKeys>().AddSingleton<IApiKeys>(p => p.GetRequiredService<ApiKeys>())
            .AddSingleton<RunFindings>().AddSingleton<RunEstimates>().AddHostedService(provider => provider.GetRequiredService<RunEstimates>())
            .AddSingleton<StatusReader>().AddSingleton<BrokerWaits>().AddHostedService<FirstApiKey>();
    }

    /// <summary>Maps the endpoints.</summary>
    public static void MapRunsApi(this IEndpointRouteBuilder app)
    {
        var api = app.MapGroup("").AddEndpointFilter(new RefusalFilter(app.ServiceProvider.GetRequiredService<LedgerDatabase>()));
        var runs = api.MapGroup("/api/v1/runs");
        var read = runs.MapGroupFor(ApiRole.Viewer);
        MapReading(runs.MapGroupFor(ApiRole.Viewer));
        MapWriting(runs.MapGroupFor(ApiRole.Submitter));
        api.MapRunNames();
        api.MapPipelinesApi();
        api.MapRegisteredPipelinesApi();
        api.MapTriggersApi();
        api.MapHooksApi();
        api.MapKeysApi();
        api.MapQueuesApi();
        api.MapStatusApi();
        api.MapReferenceApi();
        app.MapGet("/", Front).ExcludeFromDescription();
        app.MapApiDocument();
    }

    private static void MapReading(RouteGroupBuilder runs)
    {
        runs.MapGet("", ListAsync).Describe<IReadOnlyList<RunView>>("listRuns", "Runs, newest first or in another order.");
        runs.MapGet("{id:guid}", FindAsync).Describe<RunView>("findRun", "One run with its steps.");
        runs.MapGet("{id:guid}/events", RunEventStream.Open).WithName("followRun").WithSummary("The changes of a run until it ends, as server-sent events.");
        runs.MapGet("{id:guid}/log", RunLogApi.ReadAsync).Describe<IReadOnlyList<RunLogLine>>("readRunLog", "Lines of a run's log, or all as a text file.");
        runs.MapGet("events", PlatformEventStream.Open).ExcludeFromDescription();
        runs.MapGet("live", LiveStream.Open).ExcludeFromDescription();
        runs.MapGet("compare", RunComparisonApi.CompareAsync).Describe<IReadOnlyList<ComparedRun>>("compareRuns", "Runs with parameters and options.");
        runs.MapGet("{id:guid}/notices", NoticesApi.ListAsync).Describe<IReadOnlyList<NoticeView>>("listNotices", "Who was notified of the end of a run.");
        runs.MapGet("{id:guid}/source", RunDetailsApi.SourceAsync).Describe<RunSource>("findRunSource", "The pipeline file of a run, as submitted.");
        runs.MapGet("{id:guid}/plan", RunDetailsApi.PlanAsync).Describe<RunPlanView>("findRunPlan", "The steps of a run with every option.");
        runs.MapGet("{id:guid}/results", RunDetailsApi.ResultsAsync)
            .Describe<RunResults>("findRunResults", "The models that a run made, with numbers and verdict.");
        runs.MapGet("{id:guid}/costs", RunDetailsApi.CostsAsync).Describe<RunCosts>("findRunCosts", "What the steps took, and were expected to take.");
        runs.MapGet("{id:guid}/steps/{step}/outputs/{output}", RunFilesApi.ListAsync).Describe<StepOutputView>("findOutput", "The files of an output.");
        runs.MapMethods("{id:guid}/steps/{step}/outputs/{output}/files/{**path}", [HttpMethods.Get, HttpMethods.Head], RunFilesApi.DownloadAsync)
            .ExcludeFromDescription();
        runs.MapGet("{id:guid}/steps/{step}/progress", RunDetailsApi.ProgressAsync)
            .Describe<IReadOnlyList<ProgressPoint>>("readProgress", "What a step has measured so far.");
        runs.MapGet("{id:guid}/steps/{step}/report", RunDetailsApi.ReportAsync).Describe<JsonElement>("findReport", "The report that a step made.");
    }

    private static void MapWriting(RouteGroupBuilder runs)
    {
        runs.MapPost("", SubmitAsync).Describe<RunAccepted>("submitRun", "Starts a run of a pipeline file.", StatusCodes.Status202Accepted)
            .WithPipelineBody();
        runs.MapPost("{id:guid}/cancel", CancelAsync).Describe<RunStateChanged>("cancelRun", "Asks a run to stop.");
        runs.MapPost("{id:guid}/resume", ResumeAsync).Describe<RunStateChanged>("resumeRun", "Resumes a failed or cancelled run.");
        runs.MapPost("{id:guid}/steps/{step}/rerun", RunDetailsApi.RerunAsync)
            .Describe<RunAccepted>("rerunStep", "Starts an ended run again from a step on, as a new run.", StatusCodes.Status202Accepted);
    }

    /// <summary>What a browser that comes here is looking for is the portal.</summary>
    private static IResult Front(OrchestratorOptions options) => options.Portal.Length > 0
        ? TypedResults.Redirect(options.Portal)
        : TypedResults.Text(
            "The orchestrator of Espalier: its API is under /api/v1, and people use the portal, which the registry serves. "
                + "The setting orchestrator:portal (ESPALIER__ORCHESTRATOR__PORTAL) leads from here to there.");

    /// <summary>
    /// Newest first: <c>?state=</c> and <c>?name=</c> (or <c>?pipeline=</c>) choose, <c>?ordinal=</c> the run of that number among those of the
    /// name, <c>?id=</c> takes the first digits of ids, <c>?before=</c> (or <c>?after=</c>, as the list goes on) the last run of the page before;
    /// <c>?archived=true</c> lists the archived ones instead, and <c>?order=</c> (<see cref="RunOrder"/>) orders otherwise.
    /// </summary>
    private static async Task<IResult> ListAsync(
        IRunReader runs, CancellationToken cancellationToken, int limit = 100, Guid? before = null, string? state = null, string? name = null,
        string? id = null, bool archived = false, long? ordinal = null, string? pipeline = null, Guid? after = null, string? order = null)
    {
        var by = RunOrder.Newest;
        if (order is not null && !RunOrder.TryParse(order, out by))
            return Refused($"There is no order '{order}': expected {RunOrder.Expected}.");
        RunState? wanted = null;
        if (state is not null)
        {
            if (!EnumText.TryParse<RunState>(state, out var found))
                return Refused($"There is no state '{state}': expected one of {string.Join(", ", EnumText.Words<RunState>())}.");
            wanted = found;
        }
        try
        {
            return TypedResults.Ok(await runs.ListAsync(new RunQuery
            {
                Limit = Math.Clamp(limit, 1, MostRuns), Before = before ?? after, State = wanted, Name = name ?? pipeline, Ordinal = ordinal, IdPrefix = id,
                IsArchived = archived, Order = by,
            }, cancellationToken).ConfigureAwait(false));
        }
        catch (UserInputException e)
        {
            return Refused(e.Message);
        }
    }

    private static IResult Refused(string reason) => TypedResults.Problem(reason, statusCode: StatusCodes.Status400BadRequest);

    private static async Task<IResult> FindAsync(Guid id, IRunReader runs, BrokerWaits broker, CancellationToken cancellationToken) =>
        await runs.FindAsync(id, cancellationToken).ConfigureAwait(false) is { } run
            ? TypedResults.Ok(await broker.ExplainAsync(run, cancellationToken).ConfigureAwait(false))
            : Missing(id);

    /// <summary>
    /// The body is the pipeline file; parameters come as <c>?param.NAME=VALUE</c>, a client-chosen id as <c>?id=</c>, and what the run is
    /// for as <c>?reason=</c>.
    /// </summary>
    private static async Task<IResult> SubmitAsync(
        HttpRequest request, RunSubmission submission, CancellationToken cancellationToken, Guid? id = null, string file = "pipeline.yaml",
        string reason = "")
    {
        if (PipelineBody.RefuseReason(reason) is { } tooLong)
            return tooLong;
        if (await PipelineBody.ReadAsync(request, cancellationToken).ConfigureAwait(false) is not { } text)
            return PipelineBody.TooLong();
        try
        {
            var accepted = await submission.SubmitAsync(new SubmitRun
            {
                RunId = id ?? Guid.NewGuid(),
                Pipeline = text,
                FileName = file,
                Parameters = PipelineBody.Parameters(request),
                SubmittedBy = request.HttpContext.Caller()!.Name,
                Reason = reason,
            }, cancellationToken).ConfigureAwait(false);
            return TypedResults.Accepted($"/api/v1/runs/{accepted.RunId}", accepted);
        }
        catch (UserInputException e)
        {
            return TypedResults.UnprocessableEntity(new RunRejected(e.Problems));
        }
    }

    private static async Task<IResult> CancelAsync(Guid id, HttpContext http, RunLedger runs, CancellationToken cancellationToken) =>
        await runs.CancelAsync(new CancelRun(id, $"by {http.Caller()!.Name}"), cancellationToken).ConfigureAwait(false) is { } state
            ? TypedResults.Ok(state)
            : Missing(id);

    private static async Task<IResult> ResumeAsync(Guid id, RunLedger runs, CancellationToken cancellationToken)
    {
        try
        {
            return await runs.ResumeAsync(id, cancellationToken).ConfigureAwait(false) is { } state ? TypedResults.Ok(state) : Missing(id);
        }
        catch (RunArchivedException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status409Conflict);
        }
    }

    private static IResult Missing(Guid id) => TypedResults.Problem($"There is no run {id}.", statusCode: StatusCodes.Status404NotFound);
}
