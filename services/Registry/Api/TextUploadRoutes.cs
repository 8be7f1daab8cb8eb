using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Uploads;
using Espalier.Contracts;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary>
/// Upload of text for runs: the client asks whether it is here, else which parts are missing, sends those as blobs, then the listing. What
/// it is called by is computed here.
/// </summary>
internal static class TextUploadRoutes
{
    private const long LongestListing = 64L << 20;

    public static void Map(RouteGroupBuilder submitter)
    {
        submitter.MapGet("/uploads", FindLimits).WithName("findUploadLimits").WithSummary("How much text may be uploaded at once.");
        submitter.MapGet("/uploads/{digest}", FindAsync)
            .WithName("findUpload").WithSummary("Whether text of this digest was uploaded.");
        submitter.MapPost("/uploads", PublishAsync).WithName("publishUpload").WithSummary("Takes text whose parts are stored, by its listing.");
    }

    private static Ok<UploadLimits> FindLimits(RegistryOptions options) => TypedResults.Ok(LimitsOf(options));

    private static async Task<Results<Ok<PublishedUpload>, ProblemHttpResult>> FindAsync(
        string digest, ArtifactStore artifacts, TimeProvider time, CancellationToken cancellationToken)
    {
        if (!Digest.TryParse(digest, out var fingerprint))
            return TypedResults.Problem("The path ends in 64 lower-case hex digits.", statusCode: StatusCodes.Status400BadRequest);
        var isPresent = await new UploadStore(artifacts.Blobs, time).UseAsync(fingerprint, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new PublishedUpload(fingerprint, isPresent));
    }

    private static async Task<Ok<PublishedUpload>> PublishAsync(
        ArtifactStore artifacts, RegistryOptions options, TimeProvider time, HttpContext http, CancellationToken cancellationToken)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = LongestListing;
        UploadListing listing;
        try
        {
            listing = await JsonSerializer.DeserializeAsync<UploadListing>(http.Request.Body, WireJson.Options, cancellationToken).ConfigureAwait(false)
                ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new UserInputException($"The body is not a listing: {e.Message} Expected {{\"is-folder\": ..., \"files\": [...]}}.", e);
        }
        listing.Check();
        LimitsOf(options).Check("The upload", listing.SizeBytes, listing.Files.Count);
        var fingerprint = await new UploadStore(artifacts.Blobs, time).PublishAsync(listing, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new PublishedUpload(fingerprint, true));
    }

    private static UploadLimits LimitsOf(RegistryOptions options) => new(options.LargestUpload, options.MostUploadFiles);
}

/// <summary>Text by its digest.</summary>
/// <param name="Fingerprint">The digest: a file's own, or that of the names and digests of a folder's files.</param>
/// <param name="Present">Whether it is here, whole.</param>
public sealed record PublishedUpload(Digest Fingerprint, bool Present);
