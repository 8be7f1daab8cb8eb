using Espalier.Contracts;
using Espalier.Registry.Queries;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary><c>/api/v1/models</c>.</summary>
internal static class ModelRoutes
{
    public static void Map(RouteGroupBuilder viewer, RouteGroupBuilder submitter)
    {
        viewer.MapGet("/models", ListAsync).WithName("listModels").WithSummary("Models, newest changes first.");
        viewer.MapGet("/models/{name}", FindAsync).WithName("findModel").WithSummary("One model.");
        submitter.MapPatch("/models/{name}", ChangeAsync).WithName("changeModel").WithSummary("Changes description and tags of a model.");
    }

    private static async Task<Ok<Page<ModelView>>> ListAsync(
        ModelQueries queries, CancellationToken cancellationToken, string? q = null, int? limit = null, string? cursor = null) =>
        TypedResults.Ok((await queries.ListModelsAsync(q, Requests.Page(limit), cursor, cancellationToken).ConfigureAwait(false)).Select(ModelView.Of));

    private static async Task<Ok<ModelView>> FindAsync(string name, ModelQueries queries, CancellationToken cancellationToken) =>
        TypedResults.Ok(ModelView.Of(await queries.RequireModelAsync(name, cancellationToken).ConfigureAwait(false)));

    private static async Task<Ok<ModelView>> ChangeAsync(
        string name, Changes changes, ModelRegistry registry, ModelQueries queries, CancellationToken cancellationToken)
    {
        await queries.RequireModelAsync(name, cancellationToken).ConfigureAwait(false);
        await registry.ChangeAsync(name, null, changes.Description, changes.Tags, cancellationToken).ConfigureAwait(false);
        return await FindAsync(name, queries, cancellationToken).ConfigureAwait(false);
    }
}
