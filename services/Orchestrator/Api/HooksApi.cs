using Espalier.Hosting.Authentication;
using Espalier.Orchestrator.Triggers;

namespace Espalier.Orchestrator.Api;

/// <summary>Requests that start pipelines: <c>POST /api/v1/hooks/NAME</c>. They need no key; the trigger's secret proves who sends them.</summary>
internal static class HooksApi
{
    private const int LongestBody = 64 << 10;

    public static void MapHooksApi(this IEndpointRouteBuilder app) => app.MapPost("/api/v1/hooks/{name}", ReceiveAsync)
        .WithName("receiveHook").WithSummary("Starts what a webhook trigger starts; the trigger's secret proves who asks.");

    private static async Task<IResult> ReceiveAsync(
        string name, HttpContext http, HookReceiver hooks, CancellationToken cancellationToken)
    {
        var throttle = http.RequestServices.GetService<ApiKeyThrottle>();
        var (address, key) = (http.Connection.RemoteIpAddress, $"hook/{name}");
        if (throttle?.MustWait(address, key) == true)
            return http.TooManyWrongKeys();
        if (await ReadAsync(http.Request, cancellationToken).ConfigureAwait(false) is not { } body)
            return TypedResults.Problem($"A body may have at most {LongestBody} characters.", statusCode: StatusCodes.Status413PayloadTooLarge);
        try
        {
            var accepted = await hooks.ReceiveAsync(name, http.Request.Headers, body, cancellationToken).ConfigureAwait(false);
            throttle?.Record(address, key, isRight: true);
            return TypedResults.Accepted((string?)null, accepted);
        }
        catch (HookRefusedException e)
        {
            if (e.Status is StatusCodes.Status401Unauthorized or StatusCodes.Status404NotFound)
                throttle?.Record(address, key, isRight: false);
            return TypedResults.Problem(e.Message, statusCode: e.Status);
        }
    }

    private static async Task<string?> ReadAsync(HttpRequest request, CancellationToken cancellationToken)
    {
        if (request.ContentLength > LongestBody)
            return null;
        using var reader = new StreamReader(request.Body);
        var text = new char[LongestBody + 1];
        var length = await reader.ReadBlockAsync(text, cancellationToken).ConfigureAwait(false);
        return length > LongestBody ? null : new string(text, 0, length);
    }
}
