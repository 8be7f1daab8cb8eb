using System.Globalization;
using Espalier.Contracts;
using Espalier.Messaging;
using Espalier.Messaging.Broker;
using Espalier.Pipelines.Text;

namespace Espalier.Cli.Commands;

/// <summary>Reads <c>--workers KIND=N</c>, where KIND is a stage kind or the name of a service.</summary>
internal static class WorkerCounts
{
    private const int MostWorkers = 64;

    /// <summary>Number of processes by service.</summary>
    /// <exception cref="UserInputException">One cannot be read.</exception>
    public static IReadOnlyDictionary<string, int> Read(IEnumerable<string> texts)
    {
        var counts = new Dictionary<string, int>();
        foreach (var text in texts)
        {
            var parts = text.Split('=');
            if (parts.Length != 2 || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var count) || count > MostWorkers)
                throw new UserInputException($"--workers {text}: expected KIND=N with N from 0 to {MostWorkers}, such as --workers train=2.");
            var account = ServiceAccounts.All.FirstOrDefault(a => a.Name == parts[0] || a.Kinds.Contains(parts[0]))
                ?? throw new UserInputException(
                    $"--workers {text}: {NearestWord.Hint(parts[0], [.. ServiceAccounts.All.SelectMany(a => a.Kinds.Append(a.Name))])}");
            if (count == 0 && account.Name is ServiceAccounts.Orchestrator or EndpointNames.Registry)
                throw new UserInputException($"--workers {text}: the platform needs at least one {account.Name}.");
            counts[account.Name] = count;
        }
        return counts;
    }
}
