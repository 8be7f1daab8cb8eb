using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Espalier.Tests.Servers;

/// <summary>
/// A real Azurite (the Azure Blob emulator) for the tests of one collection: installed by npm at first use, started on a
/// free port, stopped afterwards, also when the test host dies. A test project takes it in by
/// <c>&lt;Compile Include="../Servers/AzuriteServer.cs" /&gt;</c> and names it as a fixture; each test makes a container of
/// its own by <see cref="NewContainerName"/>. Blobs are kept in memory: Azurite is for API tests, never for durability.
/// </summary>
public sealed class AzuriteServer : IAsyncLifetime
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    // The emulator's published account; it opens nothing else.
    private const string Account = "devstoreaccount1";
    private const string Key = "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==";

    // Node ends with the pipe to its standard input, so no server outlives its tests.
    private const string EndWithParent = "process.stdin.resume().on('end', () => process.exit(0)); require(process.argv[1]);";

    private Process? _process;

    /// <summary>How to reach the server.</summary>
    public string ConnectionString { get; private set; } = "";

    /// <summary>A container name that no other test has.</summary>
    public static string NewContainerName() => $"test-{Guid.NewGuid():n}";

    /// <summary>Installs when needed, starts, and waits until the port answers.</summary>
    public async Task InitializeAsync()
    {
        var folder = FindFolder();
        var main = Path.Combine(folder, "node_modules", "azurite", "dist", "src", "blob", "main.js");
        await InstallAsync(folder, main);
        var port = FreePort();
        _process = Start("node", folder, "-e", EndWithParent, main, "--silent", "--disableTelemetry", "--skipApiVersionCheck",
            "--inMemoryPersistence", "--blobHost", "127.0.0.1", "--blobPort", $"{port}");
        await WaitForPortAsync(port);
        ConnectionString = $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};BlobEndpoint=http://127.0.0.1:{port}/{Account};";
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

    private static string FindFolder()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
            if (File.Exists(Path.Combine(folder.FullName, "tests", "Servers", "azurite", "package-lock.json")))
                return Path.Combine(folder.FullName, "tests", "Servers", "azurite");
        throw new DirectoryNotFoundException($"No tests/Servers/azurite above {AppContext.BaseDirectory}.");
    }

    private static async Task InstallAsync(string folder, string main)
    {
        if (File.Exists(main))
            return;
        // Two test projects may start at once: the second waits for the first.
        using var gate = await LockAsync(Path.Combine(Path.GetTempPath(), "espalier-azurite-install.lock"));
        if (File.Exists(main))
            return;
        using var npm = Start("npm", folder, "ci", "--no-audit", "--no-fund");
        npm.StandardInput.Close();
        await npm.WaitForExitAsync();
        if (npm.ExitCode != 0 || !File.Exists(main))
            throw new InvalidOperationException($"'npm ci' in {folder} ended with {npm.ExitCode}; the tests of the Azure store need it.");
    }

    private static async Task<FileStream> LockAsync(string path)
    {
        var limit = Stopwatch.StartNew();
        while (true)
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
            }
            catch (IOException) when (limit.Elapsed < TimeSpan.FromMinutes(5))
            {
                await Task.Delay(200);
            }
    }

    private static Process Start(string file, string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo(file, arguments) { WorkingDirectory = folder, RedirectStandardInput = true, RedirectStandardOutput = true, UseShellExecute = false };
        var process = Process.Start(start) ?? throw new InvalidOperationException($"'{file}' did not start.");
        process.BeginOutputReadLine(); // a full pipe would stop it
        return process;
    }

    private static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
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
