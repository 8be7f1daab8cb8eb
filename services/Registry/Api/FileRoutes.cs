using System.Net.Mime;
using Espalier.Artifacts.Checkpoints;
using Microsoft.Net.Http.Headers;

namespace Espalier.Registry.Api;

/// <summary>
/// Files of a version as a Hugging Face directory, with range, ETag and HEAD. Weight files are put together from the tensors
/// while they are sent: memory holds a small buffer, and any part can be asked for again.
/// </summary>
internal static class FileRoutes
{
    private const string Route = "/models/{name}/versions/{version:int}/files/{**path}";

    public static void Map(RouteGroupBuilder viewer) =>
        viewer.MapMethods(Route, [HttpMethods.Get, HttpMethods.Head], DownloadAsync)
            .WithSummary("One file of the version's Hugging Face directory.")
            .Produces(StatusCodes.Status200OK, contentType: MediaTypeNames.Application.Octet);

    private static async Task<IResult> DownloadAsync(
        string name, int version, string path, ModelRegistry registry, VersionFiles files, HttpContext http, CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        var directory = await files.FindAsync(found, cancellationToken).ConfigureAwait(false);
        if (directory?.Find(path) is not { } file)
            return TypedResults.Problem($"{name}@{version} has no file of this path.", statusCode: StatusCodes.Status404NotFound);
        // Whatever the file holds, no browser may take it for a page of ours.
        http.Response.Headers.XContentTypeOptions = "nosniff";
        http.Response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        http.Response.Headers.ContentDisposition = new ContentDispositionHeaderValue("attachment") { FileNameStar = Path.GetFileName(file.Path) }.ToString();
        http.Response.Headers.CacheControl = "private, max-age=31536000, immutable";
        return TypedResults.Stream(
            files.Open(file), MediaTypeNames.Application.Octet, entityTag: new EntityTagHeaderValue($"\"{file.Tag.Hex}\""), enableRangeProcessing: true);
    }
}
