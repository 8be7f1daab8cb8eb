using System.Net;
using System.Net.Sockets;

namespace Espalier.TestKit.Servers;

/// <summary>
/// Ports for servers that take seconds to listen. They lie below those that the system gives to connections and to port 0, so that
/// nothing takes one meanwhile, and a lock keeps each for the test process that asked for it until that ends.
/// </summary>
internal static class FreePorts
{
    private const int First = 20_000, Last = 32_000;

    private static readonly List<FileStream> Locks = [];
    private static readonly string Folder = Directory.CreateDirectory(Path.Combine(Path.GetTempPath(), "espalier-test-ports")).FullName;

    /// <summary>A port of the loopback address that nobody else gets.</summary>
    public static int Take()
    {
        for (var attempt = 0; attempt < Last - First; attempt++)
        {
            var port = Random.Shared.Next(First, Last);
            if (TryLock(port) is not { } file)
                continue;
            if (IsFree(port))
            {
                lock (Locks)
                    Locks.Add(file);
                return port;
            }
            file.Dispose();
        }
        throw new InvalidOperationException($"No port from {First} to {Last} is free.");
    }

    private static FileStream? TryLock(int port)
    {
        try
        {
            return new FileStream(Path.Combine(Folder, $"{port}"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException)
        {
            return null;
        }
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
