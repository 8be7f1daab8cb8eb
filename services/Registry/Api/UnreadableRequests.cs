namespace Espalier.Registry.Api;

/// <summary>
/// Says something where the framework only says 400: a body that is no JSON of the expected shape, a number that is none. Such
/// requests never come to a handler, nor to a filter.
/// </summary>
internal static class UnreadableRequests
{
    public static async Task ExplainAsync(HttpContext http, RequestDelegate next)
    {
        await next(http).ConfigureAwait(false);
        if (http.Response is { StatusCode: StatusCodes.Status400BadRequest, HasStarted: false, ContentType: null } && http.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal))
            await TypedResults.Problem("The request cannot be read: a parameter or the body has another shape than /openapi/v1.json says.", statusCode: StatusCodes.Status400BadRequest).ExecuteAsync(http).ConfigureAwait(false);
    }
}
