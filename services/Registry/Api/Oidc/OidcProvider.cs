using System.Net.Http.Headers;
using System.Text.Json;

namespace Espalier.Registry.Api.Oidc;

/// <summary>Where the issuer's endpoints are.</summary>
internal sealed record OidcEndpoints(Uri Authorization, Uri Token, Uri Keys);

/// <summary>The sign-in could not be completed; the text is for people.</summary>
internal sealed class OidcException(string message, Exception? innerException = null) : Exception(message, innerException);

/// <summary>Talks to the issuer: its endpoints, codes for tokens, its public keys. Answers are bounded in size and time.</summary>
internal sealed class OidcProvider(PortalOptions options) : IDisposable
{
    private readonly HttpClient _client = new(new SocketsHttpHandler { AllowAutoRedirect = false }) { Timeout = TimeSpan.FromSeconds(10), MaxResponseContentBufferSize = 1 << 20 };

    /// <summary>Reads the issuer's discovery document.</summary>
    /// <exception cref="OidcException">It cannot be read, or is another issuer's.</exception>
    public async Task<OidcEndpoints> DiscoverAsync(CancellationToken cancellationToken)
    {
        var issuer = options.Oidc.Issuer;
        var document = await ReadAsync(new HttpRequestMessage(HttpMethod.Get, issuer.TrimEnd('/') + "/.well-known/openid-configuration"), cancellationToken).ConfigureAwait(false);
        if (Text(document, "issuer") != issuer)
            throw new OidcException($"The issuer calls itself '{Text(document, "issuer")}', not '{issuer}'.");
        return new OidcEndpoints(Address(document, "authorization_endpoint"), Address(document, "token_endpoint"), Address(document, "jwks_uri"));
    }

    /// <summary>Exchanges a code for an identity token.</summary>
    /// <exception cref="OidcException">The issuer refuses.</exception>
    public async Task<string> RedeemAsync(OidcEndpoints endpoints, string code, string verifier, string redirect, CancellationToken cancellationToken)
    {
        var form = new Dictionary<string, string>
        {
            ["grant_type"] = "authorization_code", ["code"] = code, ["redirect_uri"] = redirect, ["client_id"] = options.Oidc.ClientId, ["code_verifier"] = verifier,
        };
        if (options.Oidc.ClientSecret.Length > 0)
            form["client_secret"] = options.Oidc.ClientSecret;
        var answer = await ReadAsync(new HttpRequestMessage(HttpMethod.Post, endpoints.Token) { Content = new FormUrlEncodedContent(form) }, cancellationToken).ConfigureAwait(false);
        return Text(answer, "id_token") is { Length: > 0 } token ? token : throw new OidcException("The issuer gave no identity token.");
    }

    /// <summary>The issuer's public keys.</summary>
    public Task<JsonElement> KeysAsync(OidcEndpoints endpoints, CancellationToken cancellationToken) => ReadAsync(new HttpRequestMessage(HttpMethod.Get, endpoints.Keys), cancellationToken);

    public void Dispose() => _client.Dispose();

    private async Task<JsonElement> ReadAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        using (request)
        {
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue("application/json"));
            try
            {
                using var answer = await _client.SendAsync(request, cancellationToken).ConfigureAwait(false);
                if (!answer.IsSuccessStatusCode)
                    throw new OidcException($"The issuer answers {(int)answer.StatusCode} at {request.RequestUri!.AbsolutePath}.");
                return await answer.Content.ReadFromJsonAsync<JsonElement>(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is HttpRequestException or JsonException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
            {
                throw new OidcException("The issuer does not answer as it should; try again.", e);
            }
        }
    }

    private static Uri Address(JsonElement document, string name) =>
        Uri.TryCreate(Text(document, name), UriKind.Absolute, out var address) && (address.Scheme == Uri.UriSchemeHttps || address.IsLoopback)
            ? address
            : throw new OidcException($"The issuer's {name} is no https address.");

    private static string Text(JsonElement document, string name) =>
        document.ValueKind == JsonValueKind.Object && document.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";
}
