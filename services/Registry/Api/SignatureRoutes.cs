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
        viewer.MapGet(Version + "/signatures", ListAsync).WithName("listSignatures").WithSummary("Signatures over the version's manifest root.");
        promoter.MapPut(Version + "/signatures", AddAsync).WithName("addSignature").WithSummary("Adds a signature that was made elsewhere.");
        viewer.MapPost(Version + "/verify", VerifyAsync).WithName("verifyVersion").WithSummary("Reads every byte again and checks signatures.");
        viewer.MapGet("/signing-keys", TrustedAsync).WithName("listSigningKeys").WithSummary("Public keys that are trusted.");
        admin.MapPost("/signing-keys", TrustAsync).WithName("trustKey").WithSummary("Trusts a public key.");
        admin.MapDelete("/signing-keys/{id}", DistrustAsync).WithName("distrustKey").WithSummary("Stops trusting a public key.");
    }

    private static async Task<Ok<SignatureList>> ListAsync(
        string name, int version, ModelRegistry registry, Signatures signatures, CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(new SignatureList(await signatures.ListAsync(found.Root, cancellationToken).ConfigureAwait(false)));
    }

    private static async Task<Ok<Signature>> AddAsync(
        string name, int version, NewSignature body, ModelRegistry registry, Signatures signatures, HttpContext http,
        CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(await signatures.AddAsync(
            found, body.PublicKey ?? "", body.Signature ?? "", http.Actor(), cancellationToken).ConfigureAwait(false));
    }

    private static async Task<Ok<Verification>> VerifyAsync(
        string name, int version, ModelRegistry registry, VersionVerifier verifier, ArtifactStore store, CancellationToken cancellationToken)
    {
        var found = await registry.RequireAsync(name, version, cancellationToken).ConfigureAwait(false);
        return TypedResults.Ok(await verifier.VerifyAsync(store, found, cancellationToken).ConfigureAwait(false));
    }

    private static async Task<Ok<TrustedKeys>> TrustedAsync(Signatures signatures, CancellationToken cancellationToken) =>
        TypedResults.Ok(new TrustedKeys(await signatures.TrustedAsync(cancellationToken).ConfigureAwait(false)));

    private static async Task<Ok<TrustedKey>> TrustAsync(NewTrustedKey body, Signatures signatures, HttpContext http, CancellationToken cancellationToken) =>
        TypedResults.Ok(await signatures.TrustAsync(body.Name ?? "", body.PublicKey ?? "", http.Actor(), cancellationToken).ConfigureAwait(false));

    private static async Task<NoContent> DistrustAsync(string id, Signatures signatures, CancellationToken cancellationToken) =>
        await signatures.DistrustAsync(id, cancellationToken).ConfigureAwait(false)
            ? TypedResults.NoContent()
            : throw new NotFoundException("There is no such key.");
}

/// <summary>Signatures.</summary>
public sealed record SignatureList(IReadOnlyList<Signature> Items);

/// <summary>A signature to keep: DER in base64, and the public key in PEM form that it is by.</summary>
public sealed record NewSignature(string? PublicKey, string? Signature);

/// <summary>Keys that are trusted.</summary>
public sealed record TrustedKeys(IReadOnlyList<TrustedKey> Items);

/// <summary>A key to trust.</summary>
public sealed record NewTrustedKey(string? Name, string? PublicKey);
