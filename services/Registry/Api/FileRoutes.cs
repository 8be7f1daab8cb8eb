using System.Net.Mime;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Hosting;
using Microsoft.Net.Http.Headers;

namespace Espalier.Registry.Api;

/// <summary>
/// Files of a version as a Hugging Face directory, with range, ETag and HEAD. Weight files are put together from the tensors
/// while they are sent: memory holds a small buffer, and any part can be asked for again.
/// </summary>
internal static class FileRoutes
{
    private const string Route = "/models/{name}/versions/{version:int}/files/{**path}";

    public static void Map(RouteGroupBuilder viewer)
    {
        viewer.MapMethods(Route, [HttpMethods.Get, HttpMethods.Head], DownloadAsync)
            .WithSummary("One file of the version's Hugging Face directory.")
            .Produces(StatusCodes.Status200OK, contentType: MediaTypeNames.Application.Octet);
        viewer.MapGet("/models/{name}/versions/{version:int}/digests/{**path}", DigestAsync)
            .Describe<FileDigest>("findDigest", "The digest of a file, computed from its bytes where no manifest tells it.");
        viewer.MapGet("/models/{name}/versions/{version:int}/stored/{digest}", StoredAsync).WithName("readStored")
            .WithSummary("One file as it is stored, where the directory shows it otherwise: the names in config.json, the card in place of README.md.")
            .Produces(StatusCodes.Status200OK, contentType: MediaTypeNames.Application.Octet);
    }

    private static async Task<IResult> DownloadAsync(
        string name, int version, string path, ModelRegistry registry, VersionFiles files, HttpContext http, CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        var directory = await files.FindAsync(found, cancellationToken).ConfigureAwait(false);
        if (directory?.Find(path) is not { } file)
            return TypedResults.Problem($"{name}@{version} has no file of this path.", statusCode: StatusCodes.Status404NotFound);
        Guard(http);
        http.Response.Headers.ContentDisposition = new ContentDispositionHeaderValue("attachment") { FileNameStar = Path.GetFileName(file.Path) }.ToString();
        // The card holds what people write, which changes; nothing else of a version does.
        http.Response.Headers.CacheControl = file.Path == VersionFiles.Card ? "private, no-cache" : "private, max-age=31536000, immutable";
        return TypedResults.Stream(
            files.Open(file), MediaTypeNames.Application.Octet, entityTag: new EntityTagHeaderValue($"\"{file.Tag.Hex}\""), enableRangeProcessing: true);
    }

    private static async Task<IResult> DigestAsync(
        string name, int version, string path, ModelRegistry registry, VersionFiles files, CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        var directory = await files.FindAsync(found, cancellationToken).ConfigureAwait(false);
        return directory?.Find(path) is { } file
            ? TypedResults.Ok(new FileDigest(file.Path, (await files.DigestAsync(file, cancellationToken).ConfigureAwait(false)).Hex))
            : TypedResults.Problem($"{name}@{version} has no file of this path.", statusCode: StatusCodes.Status404NotFound);
    }

    private static async Task<IResult> StoredAsync(
        string name, int version, string digest, ModelRegistry registry, ArtifactStore artifacts, HttpContext http, CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        var manifest = await artifacts.ReadAsync(found.Root, cancellationToken).ConfigureAwait(false);
        if (manifest.Files.FirstOrDefault(f => f.Blob.Hex == digest) is not { } file)
            return TypedResults.Problem($"{name}@{version} has no file of this digest.", statusCode: StatusCodes.Status404NotFound);
        Guard(http);
        return TypedResults.Stream(
            await artifacts.Blobs.OpenReadAsync(file.Blob, 0, null, cancellationToken).ConfigureAwait(false), MediaTypeNames.Application.Octet,
            entityTag: new EntityTagHeaderValue($"\"{file.Blob.Hex}\""));
    }

    // Whatever the file holds, no browser may take it for a page of ours.
    private static void Guard(HttpContext http)
    {
        http.Response.Headers.XContentTypeOptions = "nosniff";
        http.Response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
    }
}

/// <summary>The digest of a file.</summary>
/// <param name="Path">Path within the directory.</param>
/// <param name="Sha256">SHA-256 of its bytes.</param>
public sealed record FileDigest(string Path, string Sha256);
