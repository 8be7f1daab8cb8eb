using Espalier.Artifacts;
using Espalier.Contracts;
using Espalier.Hosting.Authentication;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary>The registry over HTTP, under <c>/api/v1</c>. Reading needs the role viewer, moving an alias promoter.</summary>
public static class ModelsApi
{
    /// <summary>Adds what the routes need beside the registry itself: the keys, which the orchestrator keeps.</summary>
    public static IServiceCollection AddModelsApi(this IServiceCollection services) => services.AddSingleton<IApiKeys, RemoteApiKeys>();

    /// <summary>Maps the routes.</summary>
    public static IEndpointRouteBuilder MapModelsApi(this IEndpointRouteBuilder routes)
    {
        var all = routes.MapGroup("/api/v1/models");
        all.MapGroupFor(ApiRole.Promoter).MapPut("/{name}/aliases/{alias}", MoveAliasAsync);
        var models = all.MapGroupFor(ApiRole.Viewer);
        models.MapGet("/", ListAsync);
        models.MapGet("/{name}", ListOneAsync);
        models.MapGet("/{name}/versions/{version:int}", FindAsync);
        models.MapGet("/{name}/versions/{version:int}/lineage", LineageAsync);
        models.MapGet("/{name}/versions/{version:int}/files/{**path}", DownloadAsync);
        models.MapGet("/{name}/aliases/moves", MovesAsync);
        return routes;
    }

    private static async Task<JsonHttpResult<IReadOnlyList<ModelVersion>>> ListAsync(ModelRegistry registry, CancellationToken cancellationToken, int limit = 100) =>
        Json(await registry.ListAsync(null, Math.Clamp(limit, 1, 1000), cancellationToken).ConfigureAwait(false));

    private static async Task<Results<JsonHttpResult<IReadOnlyList<ModelVersion>>, NotFound>> ListOneAsync(string name, ModelRegistry registry, CancellationToken cancellationToken)
    {
        var versions = await registry.ListAsync(name, 1000, cancellationToken).ConfigureAwait(false);
        return versions.Count == 0 ? TypedResults.NotFound() : Json(versions);
    }

    private static async Task<Results<JsonHttpResult<ModelVersion>, NotFound>> FindAsync(string name, int version, ModelRegistry registry, CancellationToken cancellationToken) =>
        await registry.FindAsync(name, version, cancellationToken).ConfigureAwait(false) is { } found ? Json(found) : TypedResults.NotFound();

    private static async Task<JsonHttpResult<IReadOnlyList<AliasMove>>> MovesAsync(string name, ModelRegistry registry, CancellationToken cancellationToken) =>
        Json(await registry.MovesAsync(name, cancellationToken).ConfigureAwait(false));

    private static async Task<IResult> MoveAliasAsync(string name, string alias, int version, ModelRegistry registry, CancellationToken cancellationToken, string reason = "")
    {
        try
        {
            return Json(await registry.MoveAliasAsync(name, alias, version, "HTTP", reason, cancellationToken).ConfigureAwait(false));
        }
        catch (UserInputException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status422UnprocessableEntity);
        }
    }

    private static async Task<Results<JsonHttpResult<IReadOnlyList<LineageNode>>, NotFound>> LineageAsync(
        string name, int version, ModelRegistry registry, ArtifactStore artifacts, CancellationToken cancellationToken) =>
        await registry.FindAsync(name, version, cancellationToken).ConfigureAwait(false) is { } found
            ? Json(await Lineage.TraceAsync(artifacts, found.Root, cancellationToken).ConfigureAwait(false))
            : TypedResults.NotFound();

    // One file of the checkpoint that is a blob of its own (config, tokenizer), with range and ETag; weights come by export.
    private static async Task<Results<FileStreamHttpResult, NotFound>> DownloadAsync(
        string name, int version, string path, ModelRegistry registry, ArtifactStore artifacts, CancellationToken cancellationToken)
    {
        if (await registry.FindAsync(name, version, cancellationToken).ConfigureAwait(false) is not { } found)
            return TypedResults.NotFound();
        var manifest = await artifacts.ReadAsync(found.Root, cancellationToken).ConfigureAwait(false);
        if (manifest.Files.FirstOrDefault(f => f.Path == path) is not { } file)
            return TypedResults.NotFound();
        var stream = await artifacts.Blobs.OpenReadAsync(file.Blob, 0, null, cancellationToken).ConfigureAwait(false);
        return TypedResults.Stream(stream, "application/octet-stream", entityTag: new($"\"{file.Blob.Hex}\""), enableRangeProcessing: stream.CanSeek);
    }

    private static JsonHttpResult<T> Json<T>(T value) => TypedResults.Json(value, WireJson.Options);
}
