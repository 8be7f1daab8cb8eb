using System.Net.Mime;
using System.Security.Cryptography;
using System.Text;
using System.Text.Encodings.Web;

namespace Espalier.Registry.Api.Oidc;

/// <summary>A sign-in that did not succeed, and why: a page for a browser that has come here by a link, else problem details.</summary>
internal sealed class SignInRefusal(int status, string reason) : IResult
{
    private const string Style =
        "body{font:16px/1.5 system-ui,sans-serif;margin:15vh auto;max-width:34rem;padding:0 1.5rem;color-scheme:light dark}h1{font-size:1.4rem}";

    private static readonly string StyleDigest = Convert.ToBase64String(SHA256.HashData(Encoding.UTF8.GetBytes(Style)));

    private static readonly string Policy =
        $"default-src 'none'; style-src 'sha256-{StyleDigest}'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

    public Task ExecuteAsync(HttpContext httpContext)
    {
        if (!httpContext.Request.Headers.Accept.ToString().Contains(MediaTypeNames.Text.Html, StringComparison.OrdinalIgnoreCase))
            return TypedResults.Problem(reason, statusCode: status).ExecuteAsync(httpContext);
        httpContext.Response.Headers.ContentSecurityPolicy = Policy;
        httpContext.Response.Headers.CacheControl = "no-store";
        return TypedResults.Content(
            $"""
            <!doctype html>
            <html lang="en">
            <head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Not signed in · Espalier</title><style>{Style}</style></head>
            <body><main><h1>You are not signed in</h1><p>{HtmlEncoder.Default.Encode(reason)}</p><p><a href="/">Back to sign-in</a></p></main></body>
            </html>
            """, MediaTypeNames.Text.Html, Encoding.UTF8, status).ExecuteAsync(httpContext);
    }
}
