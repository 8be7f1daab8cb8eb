namespace Espalier.Registry.Api;

/// <summary>
/// Gives a reason where the framework answers a bare 400: a body that is not JSON of the expected shape, a parameter that should
/// be a number. Such requests reach neither a handler nor a filter.
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
