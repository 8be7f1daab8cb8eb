using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Espalier.CrashMatrix;

/// <summary>How the connection to the store behaves.</summary>
internal enum StoreCondition
{
    /// <summary>Everything passes.</summary>
    Clear,

    /// <summary>Connections are cut and refused.</summary>
    Away,

    /// <summary>Connections stand, nothing passes.</summary>
    Silent,

    /// <summary>Everything passes late.</summary>
    Slow,
}

/// <summary>A TCP proxy in front of the store that cuts, holds or delays connections.</summary>
internal sealed class StoreProxy : IAsyncDisposable
{
    private const int Chunk = 16 << 10;
    private static readonly TimeSpan Late = TimeSpan.FromMilliseconds(15);
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly int _target;
    private readonly CancellationTokenSource _stopping = new();
    private readonly ConcurrentDictionary<TcpClient, bool> _open = new();
    private readonly Task _accepting;
    private volatile StoreCondition _condition;

    /// <summary>Starts a proxy to a port of this machine.</summary>
    public StoreProxy(int target)
    {
        _target = target;
        _listener.Start();
        Port = ((IPEndPoint)_listener.LocalEndpoint).Port;
        _accepting = AcceptAsync();
    }

    public int Port { get; }

    /// <summary>Changes the condition.</summary>
    public void Set(StoreCondition condition)
    {
        _condition = condition;
        if (condition == StoreCondition.Away)
        {
            foreach (var client in _open.Keys)
                client.Close();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _stopping.CancelAsync();
        _listener.Stop();
        foreach (var client in _open.Keys)
            client.Close();
        await _accepting;
        _stopping.Dispose();
    }

    private async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                var client = await _listener.AcceptTcpClientAsync(_stopping.Token);
                if (_condition == StoreCondition.Away)
                    client.Close();
                else
                    _ = ServeAsync(client);
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            // The proxy stops.
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var server = new TcpClient();
        _open[client] = true;
        try
        {
            await server.ConnectAsync(IPAddress.Loopback, _target, _stopping.Token);
            await Task.WhenAny(PassAsync(client, server), PassAsync(server, client));
        }
        catch (Exception e) when (e is IOException or SocketException or ObjectDisposedException or OperationCanceledException or InvalidOperationException)
        {
            // One of the two hung up.
        }
        finally
        {
            _open.TryRemove(client, out _);
            client.Close();
        }
    }

    private async Task PassAsync(TcpClient from, TcpClient to)
    {
        var buffer = new byte[Chunk];
        var (source, target) = (from.GetStream(), to.GetStream());
        for (int read; (read = await source.ReadAsync(buffer, _stopping.Token)) > 0;)
        {
            while (_condition == StoreCondition.Silent)
                await Task.Delay(20, _stopping.Token);
            if (_condition == StoreCondition.Slow)
                await Task.Delay(Late, _stopping.Token);
            await target.WriteAsync(buffer.AsMemory(0, read), _stopping.Token);
        }
    }
}
