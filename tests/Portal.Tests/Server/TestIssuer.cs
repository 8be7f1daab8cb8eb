using System.Buffers.Text;
using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Espalier.Portal.Tests.Server;

/// <summary>An OpenID Connect issuer that signs everybody in as the person that the test names; it insists on PKCE.</summary>
internal sealed class TestIssuer : IAsyncDisposable
{
    private RSA _key = RSA.Create(2048);
    private string _keyId = "k1";
    private readonly ConcurrentDictionary<string, (string Challenge, string Nonce)> _codes = new();
    private readonly WebApplication _app;

    private TestIssuer(WebApplication app) => _app = app;

    public string Address => _app.Urls.Single();

    public string[] Groups { get; set; } = [];

    /// <summary>Changes the claims before they are signed.</summary>
    public Action<Dictionary<string, object>> Twist { get; set; } = _ => { };

    /// <summary>What signs instead of the issuer's own key.</summary>
    public RSA? Forger { get; set; }

    public string Algorithm { get; set; } = "RS256";

    /// <summary>What the issuer says instead of giving a code.</summary>
    public string? Error { get; set; }

    /// <summary>Whether the issuer answers 503 to everything.</summary>
    public bool IsDown { get; set; }

    public static async Task<TestIssuer> StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var issuer = new TestIssuer(app);
        app.Use((HttpContext context, RequestDelegate next) =>
        {
            context.Response.StatusCode = issuer.IsDown ? StatusCodes.Status503ServiceUnavailable : StatusCodes.Status200OK;
            return issuer.IsDown ? Task.CompletedTask : next(context);
        });
        app.MapGet("/.well-known/openid-configuration", () => new
        {
            issuer = issuer.Address,
            authorization_endpoint = $"{issuer.Address}/authorize",
            token_endpoint = $"{issuer.Address}/token",
            jwks_uri = $"{issuer.Address}/keys",
        });
        app.MapGet("/authorize", issuer.Authorize);
        app.MapPost("/token", issuer.TokenAsync);
        app.MapGet("/keys", issuer.Keys);
        await app.StartAsync();
        return issuer;
    }

    /// <summary>From now on another key signs, and only that is published.</summary>
    public void ChangeKey()
    {
        _key.Dispose();
        (_key, _keyId) = (RSA.Create(2048), "k2");
    }

    public async ValueTask DisposeAsync()
    {
        await _app.DisposeAsync();
        _key.Dispose();
    }

    private IResult Authorize(string redirect_uri, string state, string nonce, string code_challenge)
    {
        var code = Guid.NewGuid().ToString("n");
        _codes[code] = (code_challenge, nonce);
        if (Error is not null)
            return Results.Redirect($"{redirect_uri}?error={Error}&state={state}");
        return Results.Redirect($"{redirect_uri}?code={code}&state={state}");
    }

    private async Task<IResult> TokenAsync(HttpRequest request)
    {
        var form = await request.ReadFormAsync();
        var challenge = Base64Url.EncodeToString(SHA256.HashData(Encoding.ASCII.GetBytes(form["code_verifier"].ToString())));
        if (!_codes.TryRemove(form["code"].ToString(), out var asked) || challenge != asked.Challenge)
            return Results.BadRequest();
        var now = TimeProvider.System.GetUtcNow();
        var claims = new Dictionary<string, object>
        {
            ["iss"] = Address, ["aud"] = form["client_id"].ToString(), ["sub"] = "1", ["preferred_username"] = "ada", ["nonce"] = asked.Nonce,
            ["iat"] = now.ToUnixTimeSeconds(), ["nbf"] = now.ToUnixTimeSeconds(), ["exp"] = now.AddMinutes(5).ToUnixTimeSeconds(), ["groups"] = Groups,
        };
        Twist(claims);
        var signed = $"{Part(new { alg = Algorithm, kid = _keyId })}.{Part(claims)}";
        var signature = (Forger ?? _key).SignData(Encoding.ASCII.GetBytes(signed), HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        return Results.Json(new
        {
            id_token = $"{signed}.{(Algorithm == "none" ? "" : Base64Url.EncodeToString(signature))}", access_token = "not used", token_type = "Bearer",
        });
    }

    private IResult Keys()
    {
        var key = _key.ExportParameters(false);
        var shown = new { kty = "RSA", kid = _keyId, n = Base64Url.EncodeToString(key.Modulus), e = Base64Url.EncodeToString(key.Exponent) };
        return Results.Json(new { keys = new[] { shown } });
    }

    private static string Part(object value) => Base64Url.EncodeToString(JsonSerializer.SerializeToUtf8Bytes(value));
}
