using System.Net.Http.Headers;

namespace Espalier.Registry.Api;

/// <summary>
/// Hands requests for the orchestrator on to it and streams its answers back, so that a browser talks to one origin. It adds
/// nothing: the caller's own key decides what the orchestrator allows.
/// </summary>
internal sealed class PortalForwarder : IDisposable
{
    private const int BufferBytes = 32 << 10;
    private static readonly string[] RequestHeaders = ["Authorization", "Accept", "Last-Event-ID", "traceparent"];
    private static readonly string[] ResponseHeaders = ["Cache-Control", "Location", "Retry-After", "ETag"];
    private readonly Uri? _orchestrator;
    private readonly HttpClient _client = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    })
    { Timeout = Timeout.InfiniteTimeSpan };

    public PortalForwarder(PortalOptions options) => _orchestrator = options.Orchestrator.Length > 0 ? new Uri(options.Orchestrator) : null;

    /// <summary>Forwards one request.</summary>
    public async Task ForwardAsync(HttpContext context)
    {
        if (_orchestrator is null)
        {
            await RefuseAsync(context, "This registry does not know its orchestrator: set portal:orchestrator to its address.").ConfigureAwait(false);
            return;
        }
        using var request = Copy(context.Request, _orchestrator);
        HttpResponseMessage answer;
        try
        {
            answer = await _client.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, context.RequestAborted).ConfigureAwait(false);
        }
        catch (Exception e) when (TooLarge(e) is { } problem)
        {
            await TypedResults.Problem(problem.Message, statusCode: problem.StatusCode).ExecuteAsync(context).ConfigureAwait(false);
            return;
        }
        catch (HttpRequestException)
        {
            await RefuseAsync(context, "The orchestrator does not answer; try again in a moment.").ConfigureAwait(false);
            return;
        }
        using (answer)
            await CopyAsync(answer, context).ConfigureAwait(false);
    }

    public void Dispose() => _client.Dispose();

    private static HttpRequestMessage Copy(HttpRequest from, Uri orchestrator)
    {
        var request = new HttpRequestMessage(new HttpMethod(from.Method), new Uri(orchestrator, from.Path.ToUriComponent() + from.QueryString.ToUriComponent()));
        foreach (var name in RequestHeaders)
        {
            if (from.Headers.TryGetValue(name, out var value))
                request.Headers.TryAddWithoutValidation(name, (IEnumerable<string?>)value);
        }
        if (from.ContentLength > 0 || from.Headers.TransferEncoding.Count > 0)
        {
            request.Content = new StreamContent(from.Body);
            request.Content.Headers.ContentLength = from.ContentLength;
            if (MediaTypeHeaderValue.TryParse(from.ContentType, out var type))
                request.Content.Headers.ContentType = type;
        }
        return request;
    }

    /// <summary>Every part of the answer goes on at once: a stream of events must not wait for a buffer to fill.</summary>
    private static async Task CopyAsync(HttpResponseMessage answer, HttpContext context)
    {
        var response = context.Response;
        response.StatusCode = (int)answer.StatusCode;
        response.ContentType = answer.Content.Headers.ContentType?.ToString();
        response.ContentLength = answer.Content.Headers.ContentLength;
        foreach (var name in ResponseHeaders)
        {
            if (answer.Headers.TryGetValues(name, out var values))
                response.Headers[name] = values.ToArray();
        }
        try
        {
            var body = await answer.Content.ReadAsStreamAsync(context.RequestAborted).ConfigureAwait(false);
            await using (body.ConfigureAwait(false))
            {
                var buffer = new byte[BufferBytes];
                await response.StartAsync(context.RequestAborted).ConfigureAwait(false);
                for (int read; (read = await body.ReadAsync(buffer, context.RequestAborted).ConfigureAwait(false)) > 0;)
                {
                    await response.Body.WriteAsync(buffer.AsMemory(0, read), context.RequestAborted).ConfigureAwait(false);
                    await response.Body.FlushAsync(context.RequestAborted).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (e is IOException or HttpRequestException or OperationCanceledException)
        {
            // The answer has begun: all that is left to say that it is not whole is to break it off.
            context.Abort();
        }
    }

    /// <summary>The caller's own body was refused while it was read.</summary>
    private static BadHttpRequestException? TooLarge(Exception e) => e as BadHttpRequestException ?? e.InnerException as BadHttpRequestException;

    private static Task RefuseAsync(HttpContext context, string reason) =>
        TypedResults.Problem(reason, statusCode: StatusCodes.Status503ServiceUnavailable).ExecuteAsync(context);
}
