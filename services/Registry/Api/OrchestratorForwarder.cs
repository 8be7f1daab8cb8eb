using Yarp.ReverseProxy.Forwarder;
using Yarp.ReverseProxy.Transforms;
using Yarp.ReverseProxy.Transforms.Builder;

namespace Espalier.Registry.Api;

/// <summary>
/// Forwards requests to the orchestrator, so that a browser talks to one origin. It adds no rights: the caller's own key decides
/// what the orchestrator allows. Only the headers listed here pass, in either direction.
/// </summary>
internal sealed class OrchestratorForwarder : IDisposable
{
    private static readonly string[] RequestHeaders =
        ["Authorization", "Accept", "Content-Type", "Content-Length", "Last-Event-ID", "traceparent", "Range", "If-Range"];
    private static readonly string[] ResponseHeaders =
    [
        "Content-Type", "Content-Length", "Cache-Control", "Location", "Retry-After", "ETag",
        "Content-Range", "Accept-Ranges", "Content-Disposition",
    ];

    // The events of a run are silent for as long as the run waits for a worker.
    private static readonly ForwarderRequestConfig Request = new() { ActivityTimeout = Timeout.InfiniteTimeSpan, AllowResponseBuffering = false };

    private readonly IHttpForwarder _forwarder;
    private readonly HttpTransformer _headers;
    private readonly string _orchestrator;
    private readonly HttpMessageInvoker _client = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        ConnectTimeout = TimeSpan.FromSeconds(5),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
    });

    public OrchestratorForwarder(PortalOptions options, IHttpForwarder forwarder, ITransformBuilder transforms)
    {
        (_orchestrator, _forwarder) = (options.Orchestrator, forwarder);
        _headers = transforms.Create(context =>
        {
            context.UseDefaultForwarders = false; // no X-Forwarded-*
            context.CopyResponseTrailers = false;
            context.AddRequestHeadersAllowed(RequestHeaders).AddResponseHeadersAllowed(ResponseHeaders);
            context.AddResponseTransform(BeginEventsAsync);
        });
    }

    /// <summary>Forwards one request.</summary>
    public async Task ForwardAsync(HttpContext context)
    {
        if (_orchestrator.Length == 0)
        {
            await RefuseAsync(context, "This registry does not know its orchestrator: set portal:orchestrator to its address.").ConfigureAwait(false);
            return;
        }
        var error = await _forwarder.SendAsync(context, _orchestrator, _client, Request, _headers).ConfigureAwait(false);
        if (error == ForwarderError.None || context.Response.HasStarted)
            return;
        if (Refusal(context.GetForwarderErrorFeature()?.Exception) is { } refused)
            await RefuseAsync(context, refused.Message, refused.StatusCode).ConfigureAwait(false);
        else
            await RefuseAsync(context, "The orchestrator does not answer; try again in a moment.").ConfigureAwait(false);
    }

    public void Dispose() => _client.Dispose();

    // A stream of events may have none for a long time; without this its headers would wait for the first.
    private static async ValueTask BeginEventsAsync(ResponseTransformContext context)
    {
        if (context.ProxyResponse?.Content.Headers.ContentType?.MediaType == "text/event-stream")
            await context.HttpContext.Response.Body.FlushAsync().ConfigureAwait(false);
    }

    /// <summary>The server's own refusal of the request, such as a body that is too large, among the errors of forwarding it.</summary>
    private static BadHttpRequestException? Refusal(Exception? error) => error switch
    {
        BadHttpRequestException refused => refused,
        AggregateException several => several.Flatten().InnerExceptions.Select(Refusal).FirstOrDefault(refused => refused is not null),
        null => null,
        _ => Refusal(error.InnerException),
    };

    private static Task RefuseAsync(HttpContext context, string reason, int status = StatusCodes.Status503ServiceUnavailable) =>
        TypedResults.Problem(reason, statusCode: status).ExecuteAsync(context);
}
