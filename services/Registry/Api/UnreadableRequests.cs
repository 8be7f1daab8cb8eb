using Microsoft.AspNetCore.Http.HttpResults;

namespace Espalier.Registry.Api;

/// <summary>
/// Gives a reason where the framework answers a bare 400: a body that is not JSON of the expected shape, a parameter that should
/// be a number. Such requests reach neither a handler nor a filter.
/// </summary>
internal static class UnreadableRequests
{
    private static readonly ProblemHttpResult Unreadable = TypedResults.Problem(
        "The request cannot be read: a parameter or the body has another shape than /openapi/v1.json says, or holds what is not text.",
        statusCode: StatusCodes.Status400BadRequest);

    public static async Task ExplainAsync(HttpContext http, RequestDelegate next)
    {
        await next(http).ConfigureAwait(false);
        var isBare = http.Response is { StatusCode: StatusCodes.Status400BadRequest, HasStarted: false, ContentType: null };
        if (isBare && http.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal))
            await Unreadable.ExecuteAsync(http).ConfigureAwait(false);
    }
}
