using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Espalier.Orchestrator.Triggers;

namespace Espalier.Orchestrator.Notices;

/// <summary>Tells by a request: the event as JSON, signed as the registry's webhooks are, or one line as chat programs take it.</summary>
internal sealed class HttpNotice(TimeProvider time) : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);
    private readonly HttpClient _http = new(new SocketsHttpHandler { AllowAutoRedirect = false, UseCookies = false }) { Timeout = Limit };

    /// <summary>Sends one.</summary>
    /// <exception cref="HttpRequestException">The receiver does not answer, or refuses.</exception>
    public async Task SendAsync(NoticeRow notice, HttpTarget target, CancellationToken cancellationToken)
    {
        var body = target.IsSlack ? Slack(notice) : Event(notice);
        using var request = new HttpRequestMessage(HttpMethod.Post, target.Url)
        {
            Content = new StringContent(body, Encoding.UTF8, new MediaTypeHeaderValue("application/json")),
        };
        request.Headers.Add(HookSignature.Delivery, $"notice-{notice.Id}");
        if (target.Secret is { } secret)
        {
            var timestamp = time.GetUtcNow().ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
            request.Headers.Add(HookSignature.Timestamp, timestamp);
            request.Headers.Add(HookSignature.Signature, HookSignature.Sign(secret, timestamp, body));
        }
        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        if (!answer.IsSuccessStatusCode)
            throw new HttpRequestException($"The receiver answers {(int)answer.StatusCode}.");
    }

    public void Dispose() => _http.Dispose();

    private static string Event(NoticeRow notice) => JsonSerializer.Serialize(new
    {
        @event = $"run.{notice.RunState}", pipeline = notice.Name, run = notice.RunId, message = notice.Message, at = Times.Of(notice.EndedAt),
    });

    /// <summary>In chat programs these three characters begin links and mentions.</summary>
    private static string Slack(NoticeRow notice) => JsonSerializer.Serialize(new
    {
        text = $"{notice.Title}\n{notice.Text}".Replace("&", "&amp;", StringComparison.Ordinal).Replace("<", "&lt;", StringComparison.Ordinal)
            .Replace(">", "&gt;", StringComparison.Ordinal),
    });
}
