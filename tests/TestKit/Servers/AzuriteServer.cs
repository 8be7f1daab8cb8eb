using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Espalier.Platform.Servers;

namespace Espalier.TestKit.Servers;

/// <summary>
/// A real Azurite (the Azure Blob emulator) for the tests of one collection: installed by npm at first use, started on a
/// free port, stopped afterwards, also when the test host dies. Each test makes its own
/// container by <see cref="NewContainerName"/>. Blobs are kept in memory: Azurite is for API tests, never for durability.
/// </summary>
public class AzuriteServer : IAsyncLifetime
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    // The emulator's published account; it opens nothing else.
    private const string Account = "devstoreaccount1";
    private const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    // Node ends with the pipe to its standard input, so no server outlives its tests.
    private const string EndWithParent = "process.stdin.resume().on('end', () => process.exit(0)); require(process.argv[1]);";

    private Process? _process;

    /// <summary>Connection string of the server.</summary>
    public string ConnectionString { get; private set; } = "";

    /// <summary>Port that it listens on.</summary>
    public int Port { get; private set; }

    /// <summary>A unique container name.</summary>
    public static string NewContainerName() => $"test-{Guid.NewGuid():n}";

    /// <summary>Installs when needed, starts, and waits until the port answers.</summary>
    public async Task InitializeAsync()
    {
        await AzuritePackage.InstallAsync(_ => { }, CancellationToken.None);
        var port = FreePorts.Take();
        _process = Start("node", AzuritePackage.Folder, ["-e", EndWithParent, Program, "--silent", "--disableTelemetry", "--skipApiVersionCheck",
            "--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", $"{port}", .. Arguments()]);
        await WaitForPortAsync(port);
        Port = port;
        ConnectionString = ConnectionTo(port);
    }

    /// <summary>Stops the server.</summary>
    public async Task DisposeAsync()
    {
        if (_process is null)
            return;
        _process.StandardInput.Close();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(5));
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
        }
        _process.Dispose();
    }

    /// <summary>The program that Node.js runs.</summary>
    internal static string Program => Path.Combine(AzuritePackage.Folder, "node_modules", "azurite", "dist", "src", "blob", "main.js");

    /// <summary>Connection string of a server on a port of this machine.</summary>
    internal static string ConnectionTo(int port) =>
        $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};BlobEndpoint=http://127.0.0.1:{port}/{Account};";

    /// <summary>Further arguments of the server.</summary>
    protected virtual IEnumerable<string> Arguments() => [];

    private static Process Start(string file, string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            WorkingDirectory = folder,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        var process = Process.Start(start) ?? throw new InvalidOperationException($"'{file}' did not start.");
        process.BeginOutputReadLine(); // a full pipe would block it
        return process;
    }

    private async Task WaitForPortAsync(int port)
    {
        using var limit = new CancellationTokenSource(StartLimit);
        while (true)
        {
            if (_process!.HasExited)
                throw new InvalidOperationException($"Azurite ended at once with {_process.ExitCode}.");
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync(IPAddress.Loopback, port, limit.Token);
                return;
            }
            catch (SocketException)
            {
                await Task.Delay(50, limit.Token);
            }
        }
    }
}
