using System.Security.Claims;
using Microsoft.AspNetCore.Authentication;
using Microsoft.AspNetCore.Authentication.OpenIdConnect;
using Microsoft.IdentityModel.Protocols;
using Microsoft.IdentityModel.Protocols.OpenIdConnect;
using Microsoft.IdentityModel.Tokens;

namespace Espalier.Registry.Api.Oidc;

/// <summary>
/// Sign-in by an identity provider. <c>Microsoft.AspNetCore.Authentication.OpenIdConnect</c> does the protocol: authorization code
/// with PKCE, state and nonce in cookies of the browser, and every check of the token. Here is what it is told, and which session
/// a person gets.
/// </summary>
internal static class OidcSignIn
{
    /// <summary>The authentication scheme.</summary>
    public const string Scheme = "oidc";

    /// <summary>Where a sign-in begins.</summary>
    public const string Path = "/api/v1/session/oidc";

    /// <summary>Where the identity provider sends the browser back to.</summary>
    public const string CallbackPath = Path + "/callback";

    private static readonly string[] Algorithms = [SecurityAlgorithms.RsaSha256, SecurityAlgorithms.EcdsaSha256];
    private const int SmallestRsaKeyBits = 2048, LongestName = 100, LongestAnswerBytes = 1 << 20;
    private static readonly TimeSpan ClockSkew = TimeSpan.FromMinutes(2), AnswerLimit = TimeSpan.FromSeconds(10), SignInLimit = TimeSpan.FromMinutes(10);

    /// <summary>Sends the browser to the identity provider.</summary>
    public static async Task<IResult> BeginAsync(HttpContext context, PortalOptions options)
    {
        if (!options.Oidc.IsOn)
            return new SignInRefusal(StatusCodes.Status404NotFound, "Sign-in by an identity provider is not set up: portal:oidc:issuer is empty.");
        try
        {
            await context.ChallengeAsync(Scheme, new AuthenticationProperties { RedirectUri = "/" }).ConfigureAwait(false);
            return TypedResults.Empty;
        }
        catch (Exception e) when (e is InvalidOperationException or HttpRequestException or OpenIdConnectProtocolException)
        {
            PortalLog.ProviderFailed(context.RequestServices.GetRequiredService<ILogger<PortalOptions>>(), options.Oidc.Issuer, e);
            return new SignInRefusal(
                StatusCodes.Status502BadGateway,
                "The identity provider does not answer as it should. Try again in a moment, or sign in with an API key.");
        }
    }

    /// <summary>Settings of the package.</summary>
    public static void Configure(OpenIdConnectOptions oidc, PortalOptions portal)
    {
        var issuer = portal.Oidc.Issuer;
        oidc.ClientId = portal.Oidc.ClientId;
        oidc.ClientSecret = portal.Oidc.ClientSecret.Length > 0 ? portal.Oidc.ClientSecret : null;
        oidc.SignInScheme = PortalSession.Scheme;
        oidc.CallbackPath = CallbackPath;
        oidc.RemoteSignOutPath = oidc.SignedOutCallbackPath = PathString.Empty; // sign-out is ours alone
        oidc.ResponseType = OpenIdConnectResponseType.Code;
        oidc.ResponseMode = OpenIdConnectResponseMode.Query; // a form from another site would come without our cookies
        oidc.Scope.Add("email");
        oidc.MapInboundClaims = false;
        oidc.DisableTelemetry = true;
        oidc.RemoteAuthenticationTimeout = SignInLimit;
        foreach (var cookie in new[] { oidc.NonceCookie, oidc.CorrelationCookie })
            (cookie.SameSite, cookie.SecurePolicy) = (SameSiteMode.Lax, portal.CookieSecurity);

        var isLoopback = new Uri(issuer).IsLoopback;
        oidc.RequireHttpsMetadata = !isLoopback;
        oidc.Backchannel = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false })
        {
            Timeout = AnswerLimit,
            MaxResponseContentBufferSize = LongestAnswerBytes,
        };
        oidc.ConfigurationManager = new ConfigurationManager<OpenIdConnectConfiguration>(
            issuer.TrimEnd('/') + "/.well-known/openid-configuration", new OpenIdConnectConfigurationRetriever(),
            new HttpDocumentRetriever(oidc.Backchannel) { RequireHttps = !isLoopback }, new ProviderMetadataValidator(issuer));

        oidc.TokenValidationParameters = new TokenValidationParameters
        {
            ValidIssuer = issuer,
            IssuerValidator = (actual, _, _) => actual == issuer
                ? actual
                : throw new SecurityTokenInvalidIssuerException($"The token's issuer is not '{issuer}'.") { InvalidIssuer = actual },
            ValidAudience = portal.Oidc.ClientId,
            ClockSkew = ClockSkew,
            ValidAlgorithms = Algorithms,
            ValidateIssuerSigningKey = true,
            IssuerSigningKeyValidator = (key, _, _) =>
                key is not (RsaSecurityKey or X509SecurityKey or JsonWebKey { Kty: "RSA" }) || key.KeySize >= SmallestRsaKeyBits,
        };
        oidc.Events = Events(portal);
    }

    private static OpenIdConnectEvents Events(PortalOptions portal) => new()
    {
        OnRedirectToIdentityProvider = context =>
        {
            if (portal.Address.Length > 0)
                context.ProtocolMessage.RedirectUri = portal.Address.TrimEnd('/') + CallbackPath;
            return Task.CompletedTask;
        },
        OnTokenValidated = context =>
        {
            // In the code flow the package takes unsigned tokens, as the specification allows; here every token must be signed.
            if (string.IsNullOrEmpty(context.SecurityToken.RawSignature) || !Algorithms.Contains(context.SecurityToken.Header.Alg))
                context.Fail(new SecurityTokenInvalidSignatureException("The token is not signed with an algorithm that is accepted here."));
            // The package checks azp where it is; OpenID Connect Core 3.1.3.7 wants it in a token for several audiences.
            if (context.SecurityToken.Audiences.Skip(1).Any() && string.IsNullOrEmpty(context.SecurityToken.Payload.Azp))
                context.Fail(new SecurityTokenInvalidAudienceException("The token is for several audiences and has no azp."));
            return Task.CompletedTask;
        },
        OnTicketReceived = context => OpenSessionAsync(context, portal.Oidc),
        OnAccessDenied = context => RefuseAsync(context, StatusCodes.Status403Forbidden, "The identity provider did not sign you in (access_denied)."),
        OnRemoteFailure = context => context.Failure switch
        {
            OpenIdConnectProtocolException when context.Request.Query["error"].ToString() is { Length: > 0 } error =>
                RefuseAsync(context, StatusCodes.Status403Forbidden, $"The identity provider did not sign you in ({Short(error)})."),
            AuthenticationFailureException => RefuseAsync(context, StatusCodes.Status400BadRequest,
                "This sign-in was not begun in this browser, or too long ago, or the browser keeps no cookies of this site. Begin again."),
            _ => RefuseAsync(context, StatusCodes.Status502BadGateway,
                "The identity provider did not answer as it should, or its answer cannot be trusted. Try again; the registry's log has the reason."),
        },
    };

    /// <summary>Replaces the person's claims by a session with the key of the highest role.</summary>
    private static Task OpenSessionAsync(TicketReceivedContext context, OidcOptions options)
    {
        var person = context.Principal!;
        var groups = person.FindAll(options.GroupsClaim).Where(claim => claim.ValueType == ClaimValueTypes.String).Select(claim => claim.Value).ToList();
        if (options.RoleOf(groups) is not { } role)
            return RefuseAsync(context, StatusCodes.Status403Forbidden, $"{NameOf(person)} belongs to no group that has access here.");
        var session = new PortalSession(options.KeyOf(role), NameOf(person));
        (context.Principal, context.Properties) = (session.Principal, session.Properties);
        return Task.CompletedTask;
    }

    private static string NameOf(ClaimsPrincipal person)
    {
        string[] claims = ["preferred_username", "email", "name", "sub"];
        return Short(claims.Select(type => person.FindFirst(type)?.Value).First(value => !string.IsNullOrEmpty(value))!);
    }

    private static string Short(string text) => text.Length <= LongestName ? text : text[..LongestName];

    private static Task RefuseAsync(HandleRequestContext<RemoteAuthenticationOptions> context, int status, string reason)
    {
        context.HandleResponse();
        return new SignInRefusal(status, reason).ExecuteAsync(context.HttpContext);
    }
}
