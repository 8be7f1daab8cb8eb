using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Espalier.Integration.Tests.Platform;

/// <summary>A span as it was sent.</summary>
internal sealed record ReceivedSpan(string Service, string Trace, string Span, string Parent, string Name);

/// <summary>Takes OTLP over HTTP, as a collector does, and reads as much of the protocol buffers as the tests need.</summary>
internal sealed class OtlpReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;

    private OtlpReceiver(WebApplication app) => _app = app;

    public Uri Address => new(_app.Urls.Single());

    public ConcurrentBag<ReceivedSpan> Spans { get; } = [];

    public ConcurrentDictionary<string, int> Metrics { get; } = new();

    /// <summary>Everything that came, as bytes, to look for what must not be in it.</summary>
    public ConcurrentBag<byte[]> Bodies { get; } = [];

    public static async Task<OtlpReceiver> StartAsync()
    {
        var builder = WebApplication.CreateSlimBuilder();
        builder.Logging.ClearProviders();
        builder.WebHost.ConfigureKestrel(k => k.Listen(IPAddress.Loopback, 0));
        var receiver = new OtlpReceiver(builder.Build());
        receiver._app.MapPost("/v1/traces", (HttpRequest request) => receiver.TakeAsync(request, receiver.TakeSpans));
        receiver._app.MapPost("/v1/metrics", (HttpRequest request) => receiver.TakeAsync(request, receiver.TakeMetrics));
        await receiver._app.StartAsync();
        return receiver;
    }

    public async ValueTask DisposeAsync() => await _app.DisposeAsync();

    private async Task<IResult> TakeAsync(HttpRequest request, Action<byte[]> take)
    {
        using var body = new MemoryStream();
        await request.Body.CopyToAsync(body);
        Bodies.Add(body.ToArray());
        take(body.ToArray());
        return Results.Bytes([], "application/x-protobuf");
    }

    // ExportTraceServiceRequest: resource_spans 1 { resource 1 { attributes 1 { key 1, value 2 { string 1 } } }, scope_spans 2 { spans 2 } }
    private void TakeSpans(byte[] body)
    {
        foreach (var resource in Fields(body, 1))
        {
            var service = Fields(resource, 1)
                .SelectMany(r => Fields(r, 1))
                .Where(a => Text(a, 1) == "service.name")
                .SelectMany(a => Fields(a, 2))
                .Select(v => Text(v, 1))
                .FirstOrDefault("");
            foreach (var span in Fields(resource, 2).SelectMany(s => Fields(s, 2)))
                Spans.Add(new ReceivedSpan(service, Hex(span, 1), Hex(span, 2), Hex(span, 4), Text(span, 5)));
        }
    }

    // ExportMetricsServiceRequest: resource_metrics 1 { scope_metrics 2 { metrics 2 { name 1 } } }
    private void TakeMetrics(byte[] body)
    {
        foreach (var metric in Fields(body, 1).SelectMany(r => Fields(r, 2)).SelectMany(s => Fields(s, 2)))
            Metrics.AddOrUpdate(Text(metric, 1), 1, (_, n) => n + 1);
    }

    private static string Text(byte[] message, int field) => Encoding.UTF8.GetString(Fields(message, field).FirstOrDefault([]));

    private static string Hex(byte[] message, int field) => Convert.ToHexStringLower(Fields(message, field).FirstOrDefault([]));

    /// <summary>The length-delimited fields of a number.</summary>
    private static IEnumerable<byte[]> Fields(byte[] message, int field)
    {
        var at = 0;
        while (at < message.Length)
        {
            var tag = Varint(message, ref at);
            switch (tag & 7)
            {
                case 0:
                    Varint(message, ref at);
                    break;
                case 1:
                    at += 8;
                    break;
                case 2:
                    var length = (int)Varint(message, ref at);
                    if ((int)(tag >> 3) == field)
                        yield return message[at..(at + length)];
                    at += length;
                    break;
                default:
                    at += 4;
                    break;
            }
        }
    }

    private static ulong Varint(byte[] message, ref int at)
    {
        ulong value = 0;
        for (var shift = 0; ; shift += 7)
        {
            var next = message[at++];
            value |= (ulong)(next & 0x7F) << shift;
            if (next < 0x80)
                return value;
        }
    }
}
