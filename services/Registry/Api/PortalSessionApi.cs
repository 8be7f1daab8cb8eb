using Espalier.Hosting;
using Espalier.Hosting.Authentication;
using Espalier.Registry.Api.Oidc;
using Microsoft.AspNetCore.Authentication;

namespace Espalier.Registry.Api;

/// <summary>Who is signed in, and how one can sign in.</summary>
/// <param name="SignedIn">Whether there is a session whose key still counts.</param>
/// <param name="Role">What it may do.</param>
/// <param name="Name">The person, when an identity provider said who it is; else the name of the key.</param>
/// <param name="Oidc">Whether sign-in by an identity provider is offered.</param>
public sealed record SessionView(bool SignedIn, ApiRole? Role, string? Name, bool Oidc);

/// <summary>Sign-in and sign-out of browsers: <c>/api/v1/session</c>.</summary>
internal static class PortalSessionApi
{
    /// <summary>Key of the service that limits wrong keys at sign-in.</summary>
    public const string SignInLimit = "sign-in";

    private const string Path = "/api/v1/session";
    private const int LongestKey = 200;

    public static void MapPortalSession(this IEndpointRouteBuilder routes)
    {
        routes.MapGet(Path, ReadAsync).Describe<SessionView>("findSession", "Who the portal's cookie is of.");
        routes.MapPost(Path, SignInAsync).Describe<SessionView>("signIn", "Opens a session of the portal with a key.");
        routes.MapDelete(Path, (Delegate)SignOutAsync).WithName("signOut").WithSummary("Ends the session.").Produces(StatusCodes.Status204NoContent);
    }

    /// <summary>Whether a request opens a session.</summary>
    public static bool IsSignIn(HttpRequest request) => (request.Path == Path && HttpMethods.IsPost(request.Method)) || request.Path == OidcSignIn.CallbackPath;

    private static async Task<IResult> ReadAsync(HttpContext context, IApiKeys keys, PortalOptions options, CancellationToken cancellationToken)
    {
        try
        {
            var session = context.Features.Get<PortalSession>();
            var caller = session is null ? null : await keys.FindCallerAsync(session.Key, cancellationToken).ConfigureAwait(false);
            return Answer(new SessionView(caller is not null, caller?.Role, session?.Name is { Length: > 0 } name ? name : caller?.Name, options.Oidc.IsOn));
        }
        catch (ApiKeysUnavailableException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<IResult> SignInAsync(
        SignIn body, HttpContext context, IApiKeys keys, [FromKeyedServices(SignInLimit)] WrongKeyLimiter wrong, PortalOptions options,
        CancellationToken cancellationToken)
    {
        if (!PortalSessionMiddleware.IsOwn(context.Request))
        {
            return TypedResults.Problem(
                $"Sign in from the portal, or use Authorization: Bearer KEY. ({PortalSessionMiddleware.Header} or Origin is missing.)",
                statusCode: StatusCodes.Status403Forbidden);
        }
        if (wrong.MustWait(context.Connection.RemoteIpAddress))
            return context.TooManyWrongKeys();
        try
        {
            var key = body.Key?.Trim() ?? "";
            var caller = key.Length is 0 or > LongestKey ? null : await keys.FindCallerAsync(key, cancellationToken).ConfigureAwait(false);
            if (caller is null)
            {
                wrong.Count(context.Connection.RemoteIpAddress);
                return TypedResults.Problem(
                    "There is no such key. espalier keys list shows the names of keys; a lost key is replaced by a new one.",
                    statusCode: StatusCodes.Status401Unauthorized);
            }
            var session = new PortalSession(key, "");
            await context.SignInAsync(PortalSession.Scheme, session.Principal, session.Properties).ConfigureAwait(false);
            return Answer(new SessionView(true, caller.Role, caller.Name, options.Oidc.IsOn));
        }
        catch (ApiKeysUnavailableException e)
        {
            return TypedResults.Problem(e.Message, statusCode: StatusCodes.Status503ServiceUnavailable);
        }
    }

    private static async Task<IResult> SignOutAsync(HttpContext context)
    {
        await context.SignOutAsync(PortalSession.Scheme).ConfigureAwait(false);
        return TypedResults.NoContent();
    }

    private static IResult Answer(SessionView view) => TypedResults.Json(view, Contracts.WireJson.Options);

    internal sealed record SignIn(string? Key);
}
