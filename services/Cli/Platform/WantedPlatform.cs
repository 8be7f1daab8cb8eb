using Espalier.Contracts;
using Espalier.Messaging.Broker;
using Espalier.Pipelines.Text;

namespace Espalier.Cli.Platform;

/// <summary>What the user asked <c>espalier up</c> for.</summary>
internal sealed record WantedPlatform
{
    /// <summary>Blobs in an Azurite of the platform.</summary>
    public const string AzuriteStore = "azurite";

    /// <summary>Blobs in the home's file store.</summary>
    public const string FileStore = "file";

    private const int MostWorkers = 64;

    /// <summary>Number of processes by service; one where nothing is said.</summary>
    public IReadOnlyDictionary<string, int> Workers { get; init; } = new Dictionary<string, int>();

    /// <summary>Which store, when none is configured.</summary>
    public string Store { get; init; } = AzuriteStore;

    /// <summary>Processes of a service.</summary>
    public int CountOf(string service) => Workers.GetValueOrDefault(service, 1);

    /// <summary>Reads <c>KIND=N</c>, where KIND is a stage kind or a service.</summary>
    /// <exception cref="UserInputException">One cannot be read.</exception>
    public static IReadOnlyDictionary<string, int> ReadWorkers(IEnumerable<string> texts)
    {
        var workers = new Dictionary<string, int>();
        foreach (var text in texts)
        {
            var parts = text.Split('=');
            if (parts.Length != 2 || !int.TryParse(parts[1], System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var count) || count > MostWorkers)
                throw new UserInputException($"--workers {text}: expected KIND=N with N from 0 to {MostWorkers}, such as --workers train=2.");
            var account = ServiceAccounts.All.FirstOrDefault(a => a.Name == parts[0] || a.Kinds.Contains(parts[0]))
                ?? throw new UserInputException($"--workers {text}: {NearestWord.Hint(parts[0], [.. ServiceAccounts.All.SelectMany(a => a.Kinds.Append(a.Name))])}");
            if (count == 0 && account.Name is ServiceAccounts.Orchestrator or "registry" && count == 0)
                throw new UserInputException($"--workers {text}: the platform needs one {account.Name} at least.");
            workers[account.Name] = count;
        }
        return workers;
    }
}
