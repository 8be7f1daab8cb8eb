using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Ledger;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Reference;

namespace Espalier.Orchestrator.Api;

/// <summary>The reference of the pipeline language and of the stages that workers offer: <c>/api/v1/reference</c>.</summary>
internal static class ReferenceApi
{
    /// <summary>Maps the endpoints.</summary>
    public static void MapReferenceApi(this IEndpointRouteBuilder api)
    {
        var read = api.MapGroup("/api/v1/reference").MapGroupFor(ApiRole.Viewer);
        read.MapGet("", async (StageCatalog stages, CancellationToken cancellationToken) =>
            TypedResults.Ok((await PagesAsync(stages, cancellationToken).ConfigureAwait(false)).Select(p => new { p.Topic, p.Topics, p.Title, p.Summary })));
        read.MapGet("{topic}", FindAsync);
    }

    private static async Task<IResult> FindAsync(string topic, StageCatalog stages, CancellationToken cancellationToken)
    {
        try
        {
            return TypedResults.Ok(ReferenceBook.Find(await PagesAsync(stages, cancellationToken).ConfigureAwait(false), topic));
        }
        catch (UserInputException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status404NotFound);
        }
    }

    private static async Task<IReadOnlyList<ReferencePage>> PagesAsync(StageCatalog stages, CancellationToken cancellationToken)
    {
        var offered = await stages.ListAsync(cancellationToken).ConfigureAwait(false);
        return ReferenceBook.Pages(offered.DistinctBy(s => s.Kind).Select(StageDefinition.From));
    }
}
