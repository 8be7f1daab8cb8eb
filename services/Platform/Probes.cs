using System.Net.Sockets;

namespace Espalier.Platform;

/// <summary>Readiness probes of processes.</summary>
public static class Probes
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);
    private static readonly HttpClient Client = new() { Timeout = Patience };

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
