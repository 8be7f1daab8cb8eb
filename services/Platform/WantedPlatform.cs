namespace Espalier.Platform;

/// <summary>What the user asked <c>espalier up</c> for.</summary>
public sealed record WantedPlatform
{
    /// <summary>Blobs in an Azurite of the platform.</summary>
    public const string AzuriteStore = "azurite";

    /// <summary>Blobs in the home's file store.</summary>
    public const string FileStore = "file";

    /// <summary>Number of processes by service; 1 for services that are not listed.</summary>
    public IReadOnlyDictionary<string, int> Workers { get; init; } = new Dictionary<string, int>();

    /// <summary>Which store, when none is configured.</summary>
    public string Store { get; init; } = AzuriteStore;

    /// <summary>Folders below which pipelines may read text, when none are configured.</summary>
    public IReadOnlyList<string> DataFolders { get; init; } = [];

    /// <summary>Processes of a service.</summary>
    public int CountOf(string service) => Workers.GetValueOrDefault(service, 1);
}
