using Espalier.Contracts;
using Espalier.Hosting;
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
            TypedResults.Ok((await PagesAsync(stages, cancellationToken).ConfigureAwait(false))
                .Select(p => new ReferenceTopic(p.Topic, p.Topics, p.Title, p.Summary))))
            .Describe<IReadOnlyList<ReferenceTopic>>("listTopics", "The pages of the reference.");
        read.MapGet("{topic}", FindAsync).Describe<ReferencePage>("findTopic", "One page of the reference.");
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

/// <summary>A page of the reference without its text.</summary>
/// <param name="Topic">Its name.</param>
/// <param name="Topics">Names that lead to it.</param>
/// <param name="Title">Its title.</param>
/// <param name="Summary">What it is about.</param>
public sealed record ReferenceTopic(string Topic, IReadOnlyList<string> Topics, string Title, string Summary);
