using System.Net.Sockets;
using System.Text.Json;

namespace Espalier.Platform;

/// <summary>Readiness probes of processes.</summary>
public static class Probes
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private static readonly HttpClient Client = new() { Timeout = Patience };

    /// <summary>Why a process is not ready, as its <c>/readyz</c> says; null when it does not say.</summary>
    public static async Task<string?> FindReasonAsync(string probe, CancellationToken cancellationToken)
    {
        if (!probe.StartsWith("http", StringComparison.Ordinal))
            return null;
        try
        {
            using var answer = await Client.GetAsync(new Uri(probe), cancellationToken).ConfigureAwait(false);
            if (answer.IsSuccessStatusCode)
                return null;
            using var body = JsonDocument.Parse(await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false));
            var failing = body.RootElement.GetProperty("checks").EnumerateObject()
                .Where(c => c.Value.GetProperty("status").GetString() != "healthy")
                .Select(c => $"{c.Name}: {c.Value.GetProperty("description").GetString()}");
            return string.Join("; ", failing);
        }
        catch (Exception e) when (
            e is HttpRequestException or JsonException or KeyNotFoundException or InvalidOperationException
            || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return null;
        }
    }

    /// <summary>Whether a port accepts connections (<c>tcp://host:port</c>) or a page answers with success (<c>http://…</c>).</summary>
    public static async Task<bool> IsReadyAsync(string probe, CancellationToken cancellationToken)
    {
        var address = new Uri(probe);
        try
        {
            if (address.Scheme == "tcp")
            {
                using var socket = new TcpClient();
                await socket.ConnectAsync(address.Host, address.Port, cancellationToken).ConfigureAwait(false);
                return true;
            }
            using var answer = await Client.GetAsync(address, cancellationToken).ConfigureAwait(false);
            return answer.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is SocketException or HttpRequestException || (e is TaskCanceledException && !cancellationToken.IsCancellationRequested))
        {
            return false;
        }
    }
}
