using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.Logging;

namespace Espalier.Orchestrator.Tests.Notices;

/// <summary>A program that is told by requests.</summary>
internal sealed class HttpReceiver : IAsyncDisposable
{
    private readonly WebApplication _app;

    private HttpReceiver(WebApplication app) => _app = app;

    public string Address => _app.Urls.Single();

    public int Answer { get; set; } = StatusCodes.Status200OK;

    public List<(string Body, IHeaderDictionary Headers)> Requests { get; } = [];

    public static async Task<HttpReceiver> StartAsync()
    {
        var builder = WebApplication.CreateBuilder();
        builder.WebHost.UseUrls("http://127.0.0.1:0");
        builder.Logging.ClearProviders();
        var app = builder.Build();
        var receiver = new HttpReceiver(app);
        app.Run(async context =>
        {
            using var reader = new StreamReader(context.Request.Body);
            var body = await reader.ReadToEndAsync();
            lock (receiver.Requests)
                receiver.Requests.Add((body, new HeaderDictionary(context.Request.Headers.ToDictionary())));
            context.Response.StatusCode = receiver.Answer;
        });
        await app.StartAsync();
        return receiver;
    }

    public ValueTask DisposeAsync() => _app.DisposeAsync();
}

/// <summary>A program that takes connections and never answers.</summary>
internal sealed class HangingReceiver : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);

    public HangingReceiver() => _listener.Start();

    public string Address => $"http://127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}/";

    public void Dispose() => _listener.Dispose();
}

/// <summary>A mail server that takes everything and keeps what it was told.</summary>
internal sealed class MailReceiver : IDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly StringBuilder _heard = new();

    public MailReceiver()
    {
        _listener.Start();
        Done = Task.Run(ServeAsync);
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <summary>The first conversation, when it is over.</summary>
    public Task Done { get; }

    public string Heard => _heard.ToString();

    public void Dispose() => _listener.Dispose();

    private async Task ServeAsync()
    {
        using var client = await _listener.AcceptTcpClientAsync();
        using var reader = new StreamReader(client.GetStream());
        await using var writer = new StreamWriter(client.GetStream()) { NewLine = "\r\n", AutoFlush = true };
        await writer.WriteLineAsync("220 test");
        var isData = false;
        while (await reader.ReadLineAsync() is { } line)
        {
            _heard.AppendLine(line);
            if (isData && line != ".")
                continue;
            var wasData = isData;
            isData = !isData && line == "DATA";
            await writer.WriteLineAsync(line == "QUIT" ? "221 bye" : isData && !wasData ? "354 go on" : "250 ok");
            if (line == "QUIT")
                return;
        }
    }
}
