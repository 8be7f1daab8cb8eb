using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Registry.Storage;
using Microsoft.AspNetCore.Http.HttpResults;
using Microsoft.AspNetCore.Mvc;
using Microsoft.AspNetCore.Mvc.ModelBinding;

namespace Espalier.Registry.Api;

/// <summary><c>/api/v1/storage</c>.</summary>
internal static class StorageRoutes
{
    public static void Map(RouteGroupBuilder viewer, RouteGroupBuilder admin)
    {
        viewer.MapGet("/storage", ReadAsync).WithName("findStorage").WithSummary("What versions hold, and what deleting each would free.");
        admin.MapPost("/storage/gc", CollectAsync)
            .WithName("collectGarbage").WithSummary("Deletes what nothing needs, in two phases; a dry run unless it says otherwise.");
        admin.MapDelete("/models/{name}/versions/{version:int}", DeleteAsync).WithName("deleteVersion")
            .WithSummary("Forgets a version that no alias points to; gc frees its bytes later.");
    }

    private static async Task<Ok<StorageView>> ReadAsync(
        StorageSnapshot storage, CancellationToken cancellationToken, int? limit = null, string? cursor = null) =>
        TypedResults.Ok(await storage.ReadAsync(Requests.Page(limit), cursor, cancellationToken).ConfigureAwait(false));

    private static async Task<Ok<CollectionReport>> CollectAsync(
        GarbageCollector collector, CancellationToken cancellationToken,
        [FromBody(EmptyBodyBehavior = EmptyBodyBehavior.Allow)] CollectionRequest? body = null)
    {
        var options = new CollectionOptions { DryRun = body?.DryRun ?? true, CacheAge = Length(body?.CacheAge) };
        if (Length(body?.Grace) is { } grace)
            options = options with { Grace = grace };
        return TypedResults.Ok(await collector.CollectAsync(options, cancellationToken).ConfigureAwait(false));
    }

    private static async Task<NoContent> DeleteAsync(string name, int version, ModelRegistry registry, CancellationToken cancellationToken)
    {
        await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        await registry.DeleteVersionAsync(name, version, cancellationToken).ConfigureAwait(false);
        return TypedResults.NoContent();
    }

    private static TimeSpan? Length(string? text)
    {
        if (text is null)
            return null;
        return Units.ReadDuration(text, out var length) is { } expected
            ? throw new UserInputException($"'{text}': expected {expected}.")
            : length;
    }
}

/// <summary>How to collect: <c>{"dry-run": false, "grace": "24h", "cache-age": "30d"}</c>.</summary>
public sealed record CollectionRequest(bool? DryRun, string? Grace, string? CacheAge);
