using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using Espalier.Platform.Servers;

namespace Espalier.Benchmarks.StoreTransfer;

/// <summary>An Azurite that ends with this process.</summary>
internal sealed class Azurite : IAsyncDisposable
{
    private const string Account = "espalier";
    private const string EndWithParent = "process.stdin.resume().on('end', () => process.exit(0)); require(process.argv[1]);";
    private readonly Process _process;

    private Azurite(Process process, string connectionString) => (_process, ConnectionString) = (process, connectionString);

    public string ConnectionString { get; }

    public static async Task<Azurite> StartAsync(string folder)
    {
        await AzuritePackage.InstallAsync(Console.Error.WriteLine, CancellationToken.None).ConfigureAwait(false);
        Directory.CreateDirectory(folder);
        using var free = new TcpListener(IPAddress.Loopback, 0);
        free.Start();
        var port = ((IPEndPoint)free.LocalEndpoint).Port;
        free.Stop();
        var key = Convert.ToBase64String(new byte[32]);
        string[] arguments =
        [
            "-e", EndWithParent, Path.Combine(AzuritePackage.Folder, "node_modules/azurite/dist/src/blob/main.js"),
            "--silent", "--disableTelemetry", "--skipApiVersionCheck", "--location", folder, "--blobHost", "127.0.0.1", "--blobPort", $"{port}",
        ];
        var start = new ProcessStartInfo("node", arguments)
        {
            RedirectStandardInput = true,
        };
        start.Environment["AZURITE_ACCOUNTS"] = $"{Account}:{key}";
        var process = Process.Start(start)!;
        while (true)
        {
            using var client = new TcpClient();
            try
            {
                await client.ConnectAsync(IPAddress.Loopback, port).ConfigureAwait(false);
                return new Azurite(
                    process, $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={key};BlobEndpoint=http://127.0.0.1:{port}/{Account};");
            }
            catch (SocketException) when (!process.HasExited)
            {
                await Task.Delay(50).ConfigureAwait(false);
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        await _process.WaitForExitAsync().ConfigureAwait(false);
        _process.Dispose();
    }
}
