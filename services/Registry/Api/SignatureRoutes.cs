using Espalier.Artifacts;
using Espalier.Registry.Signing;
using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary>Signatures of versions, the keys that are trusted, and verification.</summary>
internal static class SignatureRoutes
{
    private const string Version = "/models/{name}/versions/{version:int}";

    public static void Map(RouteGroupBuilder viewer, RouteGroupBuilder promoter, RouteGroupBuilder admin)
    {
        viewer.MapGet(Version + "/signatures", ListAsync).WithSummary("Signatures over the version's manifest root.");
        promoter.MapPut(Version + "/signatures", AddAsync).WithSummary("Adds a signature that was made elsewhere.");
        viewer.MapPost(Version + "/verify", VerifyAsync).WithSummary("Reads every byte again and checks signatures.");
        viewer.MapGet("/signing-keys", async (Signatures signatures, CancellationToken cancellationToken) => TypedResults.Ok(new TrustedKeys(await signatures.TrustedAsync(cancellationToken).ConfigureAwait(false))));
        admin.MapPost("/signing-keys", TrustAsync).WithSummary("Trusts a public key.");
        admin.MapDelete("/signing-keys/{id}", DistrustAsync).WithSummary("Stops trusting a public key.");
    }

    private static async Task<Ok<SignatureList>> ListAsync(string name, int version, ModelRegistry registry, Signatures signatures, CancellationToken cancellationToken) =>
        TypedResults.Ok(new SignatureList(await signatures.ListAsync((await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false)).Root, cancellationToken).ConfigureAwait(false)));

    private static async Task<Ok<Signature>> AddAsync(string name, int version, NewSignature body, ModelRegistry registry, Signatures signatures, HttpContext http, CancellationToken cancellationToken) =>
        TypedResults.Ok(await signatures.AddAsync(
            await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false), body.PublicKey ?? "", body.Signature ?? "", http.Actor(), cancellationToken).ConfigureAwait(false));

    private static async Task<Ok<Verification>> VerifyAsync(string name, int version, ModelRegistry registry, VersionVerifier verifier, ArtifactStore store, CancellationToken cancellationToken) =>
        TypedResults.Ok(await verifier.VerifyAsync(store, await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false), cancellationToken).ConfigureAwait(false));

    private static async Task<Ok<TrustedKey>> TrustAsync(NewTrustedKey body, Signatures signatures, HttpContext http, CancellationToken cancellationToken) =>
        TypedResults.Ok(await signatures.TrustAsync(body.Name ?? "", body.PublicKey ?? "", http.Actor(), cancellationToken).ConfigureAwait(false));

    private static async Task<Results<NoContent, ProblemHttpResult>> DistrustAsync(string id, Signatures signatures, CancellationToken cancellationToken) =>
        await signatures.DistrustAsync(id, cancellationToken).ConfigureAwait(false) ? TypedResults.NoContent() : TypedResults.Problem("There is no such key.", statusCode: StatusCodes.Status404NotFound);
}

/// <summary>Signatures.</summary>
public sealed record SignatureList(IReadOnlyList<Signature> Items);

/// <summary>A signature to keep: DER in base64, and the public key in PEM form that it is by.</summary>
public sealed record NewSignature(string? PublicKey, string? Signature);

/// <summary>Keys that are trusted.</summary>
public sealed record TrustedKeys(IReadOnlyList<TrustedKey> Items);

/// <summary>A key to trust.</summary>
public sealed record NewTrustedKey(string? Name, string? PublicKey);
