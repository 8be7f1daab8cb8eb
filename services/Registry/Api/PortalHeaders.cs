namespace Espalier.Registry.Api;

/// <summary>
/// What a browser may do with any answer of this process: run our script and our styles, talk to us, and nothing else; no frames,
/// no plugins, no text that becomes script. A checkpoint's file that somebody opens in the browser is under the same rule.
/// </summary>
internal static class PortalHeaders
{
    /// <summary>The content security policy. Its only trusted type is the address of the worker that all tabs share: src/api/live.ts.</summary>
    public const string Policy =
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; font-src 'self'; manifest-src 'self'; "
        + "base-uri 'none'; form-action 'self'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types espalier-worker";

    public static Task SetAsync(HttpContext context, RequestDelegate next)
    {
        var headers = context.Response.Headers;
        headers.ContentSecurityPolicy = Policy;
        headers.XContentTypeOptions = "nosniff";
        headers.XFrameOptions = "DENY";
        headers["Referrer-Policy"] = "no-referrer";
        headers["Cross-Origin-Opener-Policy"] = "same-origin";
        headers["Cross-Origin-Resource-Policy"] = "same-origin";
        headers["Permissions-Policy"] = "camera=(), microphone=(), geolocation=(), payment=(), usb=()";
        return next(context);
    }
}
