using Espalier.Platform.Processes;

namespace Espalier.Platform.Servers;

/// <summary>
/// Azurite, the Azure Blob emulator, from npm at the versions of a lock file, with a generated key and on loopback only. It
/// acknowledges blobs before they are durable: for trying the platform out, not for models that matter.
/// </summary>
internal sealed class AzuriteServer(string folder, PlatformSettings settings) : IPlatformServer
{
    private const string Account = "espalier";
    private const string Program = "node_modules/azurite/dist/src/blob/main.js";

    // Azurite saves its index every few seconds; killed, it would forget the blobs of the last seconds.
    private const string SaveSooner = """
        const Loki = require(require.resolve('lokijs', { paths: [require('path').dirname(process.argv[1])] }));
        const configure = Loki.prototype.configureOptions;
        Loki.prototype.configureOptions = function (options, initial) {
          if (options && options.autosaveInterval) options.autosaveInterval = 200;
          return configure.call(this, options, initial);
        };
        require(process.argv[1]);
        """;

    private readonly int _port = settings.Port("azurite");

    public string Name => "azurite";

    public IReadOnlyList<string> MissingPackages => [];

    /// <summary>How services reach it.</summary>
    public string ConnectionString => $"DefaultEndpointsProtocol=http;AccountName={Account};AccountKey={Key};BlobEndpoint=http://127.0.0.1:{_port}/{Account};";

    public async Task PrepareAsync(Action<string> say, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        await AzuritePackage.InstallAsync(say, cancellationToken).ConfigureAwait(false);
    }

    public IReadOnlyList<ProcessPlan> Processes =>
    [
        new()
        {
            Name = Name,
            Kind = ProcessKinds.Server,
            Command =
            [
                "node", "-e", SaveSooner, Path.Combine(AzuritePackage.Folder, Program), "--silent", "--disableTelemetry", "--skipApiVersionCheck",
                "--location", folder, "--blobHost", "127.0.0.1", "--blobPort", $"{_port}",
            ],
            Environment = new Dictionary<string, string> { ["AZURITE_ACCOUNTS"] = $"{Account}:{Key}" },
            Probe = $"tcp://127.0.0.1:{_port}",
        },
    ];

    private string Key => Convert.ToBase64String(Convert.FromHexString(settings.Secret("store-account")));
}
