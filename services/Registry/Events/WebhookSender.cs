using System.Data.Common;
using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Dapper;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Events;

/// <summary>
/// Delivers events to webhooks: signed (HMAC-SHA-256 over time stamp and body), with retries that wait longer each time, each
/// event at least once. Nothing that an answer says is followed, and its body is not read.
/// </summary>
internal sealed class WebhookSender : BackgroundService
{
    private const int MostAttempts = 8, AtOnce = 20;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(2);
    private readonly RegistryDatabase _database;
    private readonly RegistryOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<WebhookSender> _logger;
    private readonly HttpClient _http;

    public WebhookSender(RegistryDatabase database, RegistryOptions options, TimeProvider time, ILogger<WebhookSender> logger)
    {
        (_database, _options, _time, _logger) = (database, options, time, logger);
        _http = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false, ConnectCallback = ConnectAsync }) { Timeout = Limit };
    }

    /// <summary>What receivers compare: <c>sha256=HEX</c> of <c>TIMESTAMP.BODY</c>.</summary>
    public static string Sign(string secret, string timestamp, string body) =>
        "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{timestamp}.{body}")));

    /// <summary>Delivers what is due.</summary>
    internal async Task<int> SendDueAsync(CancellationToken cancellationToken)
    {
        await using var connection = await _database.OpenAsync(cancellationToken).ConfigureAwait(false);
        var due = (await connection.QueryAsync<(string Id, long Attempts, string Url, string Secret, long Event, string Kind, string Body, string Webhook)>(
            $"""
            select d.id, cast(d.attempts as bigint), w.url, w.secret, e.id, e.kind, e.body, w.id from registry_delivery d
            join registry_webhook w on w.id = d.webhook join registry_event e on e.id = d.event
            where d.state = 'waiting' and d.next_at <= @now order by d.next_at limit {AtOnce}
            """,
            new { now = Timestamps.Write(_time.GetUtcNow()) }).ConfigureAwait(false)).AsList();
        foreach (var delivery in due)
        {
            var (status, error) = await SendAsync(delivery.Url, delivery.Secret, delivery.Id, delivery.Kind, delivery.Event, delivery.Body, cancellationToken).ConfigureAwait(false);
            await RecordAsync(connection, delivery.Id, (int)delivery.Attempts + 1, status, error).ConfigureAwait(false);
            if (error.Length > 0)
                RegistryLog.DeliveryFailed(_logger, delivery.Webhook, delivery.Event, error);
        }
        return due.Count;
    }

    public override void Dispose()
    {
        _http.Dispose();
        base.Dispose();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                await SendDueAsync(stoppingToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is DbException or IOException)
            {
                RegistryLog.DispatchFailed(_logger, e.Message);
            }
            catch (OperationCanceledException) when (stoppingToken.IsCancellationRequested)
            {
                return;
            }
            await Task.Delay(Interval, _time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    private async Task<(int Status, string Error)> SendAsync(string url, string secret, string id, string kind, long number, string body, CancellationToken cancellationToken)
    {
        var timestamp = _time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var text = $$"""{"id":"{{id}}","event":"{{kind}}","number":{{number}},"data":{{body}}}""";
        using var request = new HttpRequestMessage(HttpMethod.Post, url) { Content = new StringContent(text, Encoding.UTF8, new MediaTypeHeaderValue("application/json")) };
        request.Headers.Add("X-Espalier-Event", kind);
        request.Headers.Add("X-Espalier-Delivery", id);
        request.Headers.Add("X-Espalier-Timestamp", timestamp);
        request.Headers.Add("X-Espalier-Signature", Sign(secret, timestamp, text));
        try
        {
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            return answer.IsSuccessStatusCode ? ((int)answer.StatusCode, "") : ((int)answer.StatusCode, $"The receiver answers {(int)answer.StatusCode}.");
        }
        catch (Exception e) when (e is HttpRequestException or IOException || e is OperationCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return (0, e is OperationCanceledException ? "The receiver took too long." : e.Message);
        }
    }

    private async Task RecordAsync(DbConnection connection, string id, int attempts, int status, string error)
    {
        var state = error.Length == 0 ? "delivered" : attempts >= MostAttempts ? "failed" : "waiting";
        var now = _time.GetUtcNow();
        await connection.ExecuteAsync(
            "update registry_delivery set attempts = @attempts, state = @state, status = @status, error = @error, next_at = @next, updated_at = @now where id = @id",
            new { id, attempts, state, status, error, next = Timestamps.Write(now + FirstWait * Math.Pow(2, attempts - 1)), now = Timestamps.Write(now) }).ConfigureAwait(false);
    }

    /// <summary>Connects to an address that was looked up here, so that a name cannot lead into a private network after it was checked.</summary>
    private async ValueTask<Stream> ConnectAsync(SocketsHttpConnectionContext context, CancellationToken cancellationToken)
    {
        var addresses = await Dns.GetHostAddressesAsync(context.DnsEndPoint.Host, cancellationToken).ConfigureAwait(false);
        var allowed = addresses.Where(a => _options.AllowPrivateWebhooks || !Webhooks.IsPrivate(a)).ToArray();
        if (allowed.Length == 0)
            throw new HttpRequestException($"{context.DnsEndPoint.Host} leads into a private network.");
        var socket = new Socket(SocketType.Stream, ProtocolType.Tcp) { NoDelay = true };
        try
        {
            await socket.ConnectAsync(allowed, context.DnsEndPoint.Port, cancellationToken).ConfigureAwait(false);
            return new NetworkStream(socket, ownsSocket: true);
        }
        catch
        {
            socket.Dispose();
            throw;
        }
    }
}
