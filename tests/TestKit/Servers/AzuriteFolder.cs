using Espalier.Platform.Servers;

namespace Espalier.TestKit.Servers;

/// <summary>
/// A real Azurite that keeps its blobs in a folder, for tests that copy it. It has written everything when it was stopped, as only then.
/// </summary>
/// <param name="folder">The folder.</param>
/// <param name="port">The port that it listens on, also when it is started again.</param>
public sealed class AzuriteFolder(string folder, int port) : IAsyncDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(100);
    private ServerProcess? _process;

    /// <summary>Connection string of the server.</summary>
    public string ConnectionString => AzuriteServer.ConnectionTo(port);

    /// <summary>Installs when needed, starts, and waits until the port answers.</summary>
    public async Task StartAsync()
    {
        await AzuritePackage.InstallAsync(_ => { }, CancellationToken.None);
        _process = ServerProcess.Start(
            "KILL", new Dictionary<string, string>(), "node", AzuriteServer.Program, "--silent", "--disableTelemetry", "--skipApiVersionCheck",
            "--location", folder, "--blobHost", "127.0.0.1", "--blobPort", $"{port}");
        await _process.WaitForPortAsync(port, Limit);
    }

    /// <summary>Asks it to end, and waits until it has written everything.</summary>
    public async Task StopAsync()
    {
        await _process!.SignalAsync("TERM");
        await _process.WaitForExitAsync(Limit);
        await _process.DisposeAsync();
    }

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
            await _process.DisposeAsync();
    }
}
