using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Espalier.Database;

namespace Espalier.Registry.Events;

/// <summary>
/// Delivers events to webhooks: signed (HMAC-SHA-256 over time stamp and body), with retries that wait longer each time, each
/// event at least once. Nothing that an answer says is followed, and its body is not read. Each webhook has a task of its own: a
/// receiver that hangs or refuses keeps no other back, however many events wait for it.
/// </summary>
internal sealed class WebhookSender : BackgroundService
{
    private const int MostAttempts = 8, AtOnce = 20;
    private static readonly TimeSpan Interval = TimeSpan.FromMilliseconds(500);
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private static readonly TimeSpan Lease = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan FirstWait = TimeSpan.FromSeconds(2);
    private readonly RegistryDatabase _database;
    private readonly RegistryOptions _options;
    private readonly TimeProvider _time;
    private readonly ILogger<WebhookSender> _logger;
    private readonly HttpClient _http;
    private readonly Dictionary<string, Task<int>> _underWay = [];

    public WebhookSender(RegistryDatabase database, RegistryOptions options, TimeProvider time, ILogger<WebhookSender> logger)
    {
        (_database, _options, _time, _logger) = (database, options, time, logger);
        var handler = new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false, UseProxy = false, ConnectCallback = ConnectAsync };
        _http = new HttpClient(handler) { Timeout = Limit };
    }

    /// <summary>What receivers compare: <c>sha256=HEX</c> of <c>TIMESTAMP.BODY</c>.</summary>
    public static string Sign(string secret, string timestamp, string body) =>
        "sha256=" + Convert.ToHexStringLower(HMACSHA256.HashData(Encoding.UTF8.GetBytes(secret), Encoding.UTF8.GetBytes($"{timestamp}.{body}")));

    /// <summary>Delivers everything that is due, and waits for the end. Returns how many deliveries were claimed.</summary>
    internal async Task<int> SendDueAsync(CancellationToken cancellationToken)
    {
        await BeginDueAsync(cancellationToken).ConfigureAwait(false);
        return (await Task.WhenAll(_underWay.Values).ConfigureAwait(false)).Sum();
    }

    /// <summary>Begins to deliver to every webhook for which something is due, and which is not being delivered to already.</summary>
    internal async Task BeginDueAsync(CancellationToken cancellationToken)
    {
        var ended = _underWay.Where(w => w.Value.IsCompleted).ToList();
        ended.ForEach(w => _underWay.Remove(w.Key));
        foreach (var webhook in await WebhookDeliveries.ListDueAsync(_database, _time.GetUtcNow(), cancellationToken).ConfigureAwait(false))
        {
            if (!_underWay.ContainsKey(webhook))
                _underWay[webhook] = Task.Run(() => SendDueAsync(webhook, cancellationToken), CancellationToken.None);
        }
        await Task.WhenAll(ended.Select(w => w.Value)).ConfigureAwait(false); // what failed of them is said by the loop
    }

    public override void Dispose()
    {
        _http.Dispose();
        base.Dispose();
    }

    protected override Task ExecuteAsync(CancellationToken stoppingToken) =>
        new DatabaseLoop("Delivery to webhooks", _time, _logger).RunAsync(BeginDueAsync, Interval, stoppingToken);

    /// <summary>Delivers what is due to one webhook, in the order of events.</summary>
    private async Task<int> SendDueAsync(string webhook, CancellationToken cancellationToken)
    {
        var started = _time.GetTimestamp();
        var now = _time.GetUtcNow();
        var claimed = await WebhookDeliveries.ClaimAsync(_database, webhook, AtOnce, now, now + Lease, cancellationToken).ConfigureAwait(false);
        // What is not begun in time is free for another registry when the claim ends.
        foreach (var delivery in claimed.TakeWhile(_ => _time.GetElapsedTime(started) <= Lease - Limit - Limit))
            await DeliverAsync(delivery, cancellationToken).ConfigureAwait(false);
        return claimed.Count;
    }

    private async Task DeliverAsync(DueDelivery delivery, CancellationToken cancellationToken)
    {
        var (status, error) = await SendAsync(delivery, cancellationToken).ConfigureAwait(false);
        var attempts = delivery.Attempts + 1;
        var state = error.Length == 0 ? "delivered" : attempts >= MostAttempts ? "failed" : "waiting";
        var now = _time.GetUtcNow();
        await WebhookDeliveries.RecordAsync(_database, delivery, state, status, error, now, now + FirstWait * Math.Pow(2, attempts - 1),
            cancellationToken).ConfigureAwait(false);
        if (error.Length > 0)
            RegistryLog.DeliveryFailed(_logger, delivery.Webhook, delivery.Number, error);
    }

    private async Task<(int Status, string Error)> SendAsync(DueDelivery delivery, CancellationToken cancellationToken)
    {
        try
        {
            using var request = RequestOf(delivery);
            using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
            return answer.IsSuccessStatusCode ? ((int)answer.StatusCode, "") : ((int)answer.StatusCode, $"The receiver answers {(int)answer.StatusCode}.");
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            // Whatever is wrong with one delivery is its own trouble: the next ones must not wait behind it.
            return (0, e is OperationCanceledException ? "The receiver took too long." : e.Message);
        }
    }

    private HttpRequestMessage RequestOf(DueDelivery delivery)
    {
        var timestamp = _time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        var text = $$"""{"id":"{{delivery.Id}}","event":"{{delivery.Kind}}","number":{{delivery.Number}},"data":{{delivery.Body}}}""";
        return new HttpRequestMessage(HttpMethod.Post, delivery.Url)
        {
            Content = new StringContent(text, Encoding.UTF8, new MediaTypeHeaderValue("application/json")),
            Headers =
            {
                { "X-Espalier-Event", delivery.Kind },
                { "X-Espalier-Delivery", delivery.Id },
                { "X-Espalier-Timestamp", timestamp },
                { "X-Espalier-Signature", Sign(delivery.Secret, timestamp, text) },
            },
        };
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
