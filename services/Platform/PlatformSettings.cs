using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace Espalier.Platform;

/// <summary>Generated ports and credentials of a home, kept so that addresses and keys survive a restart.</summary>
internal sealed record PlatformSettings
{
    /// <summary>Port of each server and service by name.</summary>
    public Dictionary<string, int> Ports { get; init; } = [];

    /// <summary>Secrets by name.</summary>
    public Dictionary<string, string> Secrets { get; init; } = [];

    /// <summary>The port of a name: the one from last time when it is free, else another free one.</summary>
    public int Port(string name)
    {
        if (!Ports.TryGetValue(name, out var port) || !IsFree(port))
        {
            do
                port = FreePort();
            while (Ports.ContainsValue(port));
            Ports[name] = port;
        }
        return port;
    }

    /// <summary>The secret of a name, generated on first use: 256 random bits in hexadecimal.</summary>
    public string Secret(string name)
    {
        if (!Secrets.TryGetValue(name, out var secret))
            Secrets[name] = secret = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        return secret;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }

    private static bool IsFree(int port)
    {
        try
        {
            using var listener = new TcpListener(IPAddress.Loopback, port);
            listener.Start();
            return true;
        }
        catch (SocketException)
        {
            return false;
        }
    }
}
