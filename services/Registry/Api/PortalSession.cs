using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;

namespace Espalier.Registry.Api;

/// <summary>Who is signed in.</summary>
/// <param name="Key">The API key that the session acts with. It stays in <see cref="PortalSessionStore"/>: the browser never gets it.</param>
/// <param name="Name">The person, as the identity provider says; empty after sign-in by key.</param>
internal sealed record PortalSession(string Key, string Name)
{
    /// <summary>The authentication scheme of sessions, and the name of their cookie.</summary>
    public const string Scheme = "espalier-session";

    private const string KeyItem = "api-key";

    /// <summary>The session as cookie authentication carries it.</summary>
    public ClaimsPrincipal Principal => new(new ClaimsIdentity([new Claim(ClaimTypes.Name, Name)], Scheme));

    /// <summary>The session as cookie authentication carries it.</summary>
    public AuthenticationProperties Properties => new(new Dictionary<string, string?> { [KeyItem] = Key }) { IsPersistent = true };

    /// <summary>The session of a request, or null.</summary>
    public static PortalSession? Of(HttpContext context)
    {
        if (context.Features.Get<IAuthenticateResultFeature>()?.AuthenticateResult is not { Succeeded: true } result)
            return null;
        return result.Properties.Items.TryGetValue(KeyItem, out var key)
            ? new PortalSession(key!, result.Principal.Identity?.Name ?? "")
            : null;
    }
}
