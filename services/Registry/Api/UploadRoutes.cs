using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary>
/// Upload of a checkpoint: the client asks which blobs are missing, sends those, then the manifest. Nothing is visible before
/// the manifest is; a blob's digest is computed here, never believed.
/// </summary>
internal static class UploadRoutes
{
    private const int MostDigests = 20_000, LongestOrigin = 200;
    private const long LongestManifest = 64L << 20;

    public static void Map(RouteGroupBuilder viewer, RouteGroupBuilder submitter)
    {
        submitter.MapPost("/blobs/missing", MissingAsync).WithName("findMissingBlobs").WithSummary("Which of these blobs the store does not have.");
        submitter.MapPut("/blobs/{digest}", PutAsync)
            .WithName("storeBlob").WithSummary("Stores one blob, as application/octet-stream.").Accepts<Stream>("application/octet-stream");
        submitter.MapPost("/models/{name}/versions", RegisterAsync)
            .WithName("registerVersion").WithSummary("Registers a checkpoint whose blobs are stored, by its manifest.");
        viewer.MapGet("/models/{name}/versions/{version:int}/manifest", ManifestAsync)
            .WithName("findManifest").WithSummary("The version's manifest; its SHA-256 is the root.");
    }

    private static async Task<Ok<MissingBlobs>> MissingAsync(BlobDigests body, ArtifactStore artifacts, HttpContext http, CancellationToken cancellationToken)
    {
        var digests = body.Digests ?? [];
        if (digests.Count > MostDigests)
            throw new UserInputException($"{digests.Count} digests at once; at most {MostDigests} are taken.");
        var missing = new List<Digest>();
        foreach (var digest in digests.Distinct())
        {
            // What is said to be here must stay until the manifest comes.
            var isHere = artifacts.Blobs is ICollectableBlobStore store
                ? await store.TouchAsync(digest, cancellationToken).ConfigureAwait(false)
                : await artifacts.Blobs.ExistsAsync(digest, cancellationToken).ConfigureAwait(false);
            if (!isHere)
                missing.Add(digest);
        }
        return TypedResults.Ok(new MissingBlobs(missing));
    }

    private static async Task<Results<Ok<StoredBlob>, ProblemHttpResult>> PutAsync(
        string digest, ArtifactStore artifacts, RegistryOptions options, HttpContext http, CancellationToken cancellationToken)
    {
        if (!Digest.TryParse(digest, out var expected))
            return TypedResults.Problem("The path ends in 64 lower-case hex digits.", statusCode: StatusCodes.Status400BadRequest);
        if (http.Request.ContentType is not "application/octet-stream")
            return TypedResults.Problem("A blob is sent as application/octet-stream.", statusCode: StatusCodes.Status415UnsupportedMediaType);
        if (http.Request.ContentLength > options.LargestBlob)
        {
            return TypedResults.Problem(
                $"The blob has {http.Request.ContentLength} bytes; at most {options.LargestBlob} are taken.",
                statusCode: StatusCodes.Status413PayloadTooLarge);
        }
        Allow(http, options.LargestBlob);
        var receipt = await artifacts.Blobs.PutAsync(http.Request.Body, cancellationToken).ConfigureAwait(false);
        return receipt.Digest == expected
            ? TypedResults.Ok(new StoredBlob(receipt.Digest, receipt.SizeBytes, receipt.IsNew))
            : TypedResults.Problem(
                $"The bytes have the digest {receipt.Digest.Hex}, not {expected.Hex}: they were damaged on the way. Send them again.",
                statusCode: StatusCodes.Status422UnprocessableEntity);
    }

    private static async Task<Ok<VersionView>> RegisterAsync(
        string name, VersionRegistrar registrar, ArtifactStore artifacts, HttpContext http, CancellationToken cancellationToken)
    {
        Allow(http, LongestManifest);
        Upload upload;
        try
        {
            upload = await JsonSerializer.DeserializeAsync<Upload>(http.Request.Body, WireJson.Options, cancellationToken).ConfigureAwait(false)
                ?? throw new JsonException("it is null");
        }
        catch (JsonException e)
        {
            throw new UserInputException($"The body is not an upload: {e.Message} Expected {{\"manifest\": {{...}}, \"origin\": \"...\"}}.", e);
        }
        var root = await UploadedManifest.PublishAsync(artifacts, upload.Manifest, cancellationToken).ConfigureAwait(false);
        var (version, _) = await registrar.RegisterAsync(
            artifacts,
            new Registration
            {
                Model = name,
                Checkpoint = root,
                StepKey = CanonicalJson.DigestOf(new { upload = root.Root }),
                Origin = StorableText.Cut(upload.Origin ?? $"upload by {http.Actor()}", LongestOrigin),
                Description = upload.Description ?? "",
                Tags = upload.Tags ?? new Dictionary<string, string>(),
            }, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(VersionView.Of(version));
    }

    private static async Task<IResult> ManifestAsync(
        string name, int version, ModelRegistry registry, ArtifactStore artifacts, CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        var manifest = await artifacts.Blobs.OpenReadAsync(found.Root, 0, null, cancellationToken).ConfigureAwait(false);
        return TypedResults.Stream(manifest, "application/json", entityTag: new($"\"{found.Root.Hex}\""));
    }

    private static void Allow(HttpContext http, long bytes)
    {
        if (http.Features.Get<IHttpMaxRequestBodySizeFeature>() is { IsReadOnly: false } limit)
            limit.MaxRequestBodySize = bytes;
    }

    private sealed record Upload
    {
        public required Manifest Manifest { get; init; }

        public string? Origin { get; init; }

        public string? Description { get; init; }

        public IReadOnlyDictionary<string, string>? Tags { get; init; }
    }
}

/// <summary>Digests to ask about.</summary>
public sealed record BlobDigests(IReadOnlyList<Digest>? Digests);

/// <summary>Digests of blobs that must be sent.</summary>
public sealed record MissingBlobs(IReadOnlyList<Digest> Missing);

/// <summary>A stored blob.</summary>
public sealed record StoredBlob(Digest Digest, long Size, bool New);
