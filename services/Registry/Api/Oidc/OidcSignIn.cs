using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;

namespace Espalier.Registry.Api.Oidc;

/// <summary>
/// The two steps of a sign-in: off to the issuer with a state, a nonce and the digest of a secret; back with a code that only the
/// holder of the secret can redeem. A cookie ties the way back to the browser that went.
/// </summary>
internal sealed class OidcSignIn(PortalOptions options, OidcProvider provider, PortalSessions sessions, TimeProvider time)
{
    private const string Cookie = "espalier-oidc";
    private const int MostPending = 1000;
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);
    private readonly ConcurrentDictionary<string, Pending> _pending = new(StringComparer.Ordinal);

    /// <summary>Sends the browser to the issuer.</summary>
    public async Task<IResult> BeginAsync(HttpContext context, CancellationToken cancellationToken)
    {
        if (!options.Oidc.IsOn)
            return Refuse("Sign-in by an identity provider is not set up: portal:oidc:issuer is empty.", StatusCodes.Status404NotFound);
        try
        {
            var endpoints = await provider.DiscoverAsync(cancellationToken).ConfigureAwait(false);
            foreach (var (old, _) in _pending.Where(p => time.GetElapsedTime(p.Value.At) > Patience || _pending.Count >= MostPending).ToList())
                _pending.TryRemove(old, out _);
            var (state, nonce, verifier) = (Secret(), Secret(), Secret());
            _pending[state] = new Pending(nonce, verifier, Redirect(context), time.GetTimestamp());
            context.Response.Cookies.Append(Cookie, state, new CookieOptions { HttpOnly = true, SameSite = SameSiteMode.Lax, Secure = context.Request.IsHttps, Path = "/api/v1/session/oidc", MaxAge = Patience });
            var query = QueryString.Create(new Dictionary<string, string?>
            {
                ["response_type"] = "code", ["client_id"] = options.Oidc.ClientId, ["redirect_uri"] = Redirect(context), ["scope"] = "openid profile email",
                ["state"] = state, ["nonce"] = nonce, ["code_challenge_method"] = "S256", ["code_challenge"] = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(verifier))),
            });
            var separator = endpoints.Authorization.Query.Length > 0 ? "&" + query.ToString()[1..] : query.ToString();
            return TypedResults.Redirect(endpoints.Authorization + separator);
        }
        catch (OidcException e)
        {
            return Refuse(e.Message, StatusCodes.Status502BadGateway);
        }
    }

    /// <summary>Takes the browser back.</summary>
    public async Task<IResult> EndAsync(HttpContext context, CancellationToken cancellationToken, string? code = null, string? state = null, string? error = null)
    {
        context.Response.Cookies.Delete(Cookie, new CookieOptions { Path = "/api/v1/session/oidc" });
        if (state is null || context.Request.Cookies[Cookie] != state || !_pending.TryRemove(state, out var pending) || time.GetElapsedTime(pending.At) > Patience)
            return Refuse("This sign-in was not begun in this browser, or too long ago: begin again.", StatusCodes.Status400BadRequest);
        if (error is not null || code is null)
            return Refuse($"The issuer did not sign you in ({Short(error)}).", StatusCodes.Status403Forbidden);
        try
        {
            var endpoints = await provider.DiscoverAsync(cancellationToken).ConfigureAwait(false);
            var token = await provider.RedeemAsync(endpoints, code, pending.Verifier, pending.Redirect, cancellationToken).ConfigureAwait(false);
            var claims = IdToken.Check(token, await provider.KeysAsync(endpoints, cancellationToken).ConfigureAwait(false), options.Oidc, pending.Nonce, time.GetUtcNow());
            if (options.Oidc.RoleOf(Groups(claims)) is not { } role)
                return Refuse($"{Name(claims)} belongs to no group that may come in here.", StatusCodes.Status403Forbidden);
            var id = sessions.Open(new PortalSession(options.Oidc.KeyOf(role), Name(claims)));
            context.Response.Cookies.Append(PortalSessionCookie.Name, id, PortalSessionCookie.Options(context.Request, options.SessionIdle));
            return TypedResults.LocalRedirect("/");
        }
        catch (OidcException e)
        {
            return Refuse(e.Message, StatusCodes.Status502BadGateway);
        }
    }

    private string Redirect(HttpContext context) =>
        (options.Address.Length > 0 ? options.Address.TrimEnd('/') : $"{context.Request.Scheme}://{context.Request.Host}") + "/api/v1/session/oidc/callback";

    private List<string> Groups(JsonElement claims) =>
        !claims.TryGetProperty(options.Oidc.GroupsClaim, out var groups) ? []
        : groups.ValueKind == JsonValueKind.Array ? [.. groups.EnumerateArray().Where(g => g.ValueKind == JsonValueKind.String).Select(g => g.GetString()!)]
        : groups.ValueKind == JsonValueKind.String ? [groups.GetString()!] : [];

    private static string Name(JsonElement claims)
    {
        foreach (var claim in new[] { "preferred_username", "email", "name", "sub" })
        {
            if (claims.TryGetProperty(claim, out var value) && value.ValueKind == JsonValueKind.String && value.GetString() is { Length: > 0 } text)
                return Short(text);
        }
        return "somebody";
    }

    private static string Short(string? text) => text is null ? "no code" : text.Length <= 100 ? text : text[..100];

    private static string Secret() => Base64Url.EncodeToString(RandomNumberGenerator.GetBytes(32));

    private static IResult Refuse(string reason, int status) => TypedResults.Problem(reason, statusCode: status);

    private sealed record Pending(string Nonce, string Verifier, string Redirect, long At);
}
