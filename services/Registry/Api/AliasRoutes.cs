using Espalier.Registry.Queries;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ModelBinding;

namespace Espalier.Registry.Api;

/// <summary><c>/api/v1/models/{name}/aliases</c>.</summary>
internal static class AliasRoutes
{
    private const string Route = "/models/{name}/aliases/{alias}";

    public static void Map(RouteGroupBuilder viewer, RouteGroupBuilder promoter)
    {
        viewer.MapGet("/models/{name}/aliases/moves", MovesAsync)
            .WithName("listMoves").WithSummary("Every move of the model's aliases, newest first.");
        promoter.MapPut(Route, MoveAsync).WithName("moveAlias").WithSummary("Points an alias to a version.");
        promoter.MapDelete(Route, RemoveAsync).WithName("removeAlias").WithSummary("Removes an alias.");
        promoter.MapPost(Route + "/revert", RevertAsync)
            .WithName("revertAlias").WithSummary("Points an alias to where it pointed before its last move.");
    }

    private static async Task<Ok<Page<MoveView>>> MovesAsync(
        string name, ModelQueries queries, CancellationToken cancellationToken, int? limit = null, string? cursor = null)
    {
        await queries.RequireModelAsync(name, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok((await queries.ListMovesAsync(name, Requests.Page(limit), cursor, cancellationToken).ConfigureAwait(false)).Select(MoveView.Of));
    }

    private static async Task<Ok<MoveView>> MoveAsync(
        string name, string alias, ModelRegistry registry, HttpContext http, CancellationToken cancellationToken,
        [FromBody(EmptyBodyBehavior = EmptyBodyBehavior.Allow)] AliasTarget? target = null, int? version = null)
    {
        var wanted = target?.Version ?? version ?? throw new Contracts.UserInputException("Which version? The body is {\"version\": 3, \"reason\": \"...\"}.");
        await registry.RequireAsync(name, wanted, cancellationToken).ConfigureAwait(false);
        var move = await registry.MoveAliasAsync(name, alias, wanted, http.Actor(), target?.Reason ?? "", cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(MoveView.Of(move));
    }

    private static async Task<Ok<MoveView>> RemoveAsync(
        string name, string alias, ModelRegistry registry, HttpContext http, CancellationToken cancellationToken, string? reason = null) =>
        TypedResults.Ok(MoveView.Of(await registry.RemoveAliasAsync(name, alias, http.Actor(), reason ?? "", cancellationToken).ConfigureAwait(false)));

    private static async Task<Ok<MoveView>> RevertAsync(
        string name, string alias, ModelRegistry registry, HttpContext http, CancellationToken cancellationToken,
        [FromBody(EmptyBodyBehavior = EmptyBodyBehavior.Allow)] RevertReason? body = null) =>
        TypedResults.Ok(MoveView.Of(await registry.RevertAliasAsync(name, alias, http.Actor(), body?.Reason ?? "", cancellationToken).ConfigureAwait(false)));
}
