using System.Text.Json;
using Espalier.Contracts;
using Espalier.TestKit.Servers;

namespace Espalier.Integration.Tests.Distributed;

/// <summary>A pipeline run by the command line as a process with a home of its own: <c>espalier run FILE --json</c>.</summary>
internal sealed record EmbeddedRun(RunState State, IReadOnlyList<EmbeddedStep> Steps)
{
    private const string OutputToFile = """exec "$@" >"$RESULT" """;

    /// <summary>Runs a pipeline to its end.</summary>
    /// <exception cref="InvalidOperationException">It did not end well.</exception>
    public static async Task<EmbeddedRun> RunAsync(string pipeline, TimeSpan limit)
    {
        var folder = Directory.CreateTempSubdirectory("embedded-");
        try
        {
            var result = Path.Combine(folder.FullName, "result.json");
            var environment = new Dictionary<string, string> { ["ESPALIER_HOME"] = Path.Combine(folder.FullName, "home"), ["RESULT"] = result };
            // Standard output holds the result, standard error the progress: kept apart.
            await using var process = ServerProcess.Start(
                "KILL", environment, "sh", "-c", OutputToFile, "run", "dotnet", Repository.Assembly("services/Cli"), "run", pipeline, "--json");
            var code = await process.WaitForExitAsync(limit);
            if (code != 0)
                throw new InvalidOperationException($"The embedded run ended with {code}:{Environment.NewLine}{process.Output}");
            await using var json = File.OpenRead(result);
            var outcome = (await JsonSerializer.DeserializeAsync<Outcome>(json, WireJson.Options))!;
            return new EmbeddedRun(outcome.State, [.. outcome.Steps.Select(s => s.Value with { Name = s.Key })]);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private sealed record Outcome(RunState State, Dictionary<string, EmbeddedStep> Steps);
}

/// <summary>What it says of one step.</summary>
internal sealed record EmbeddedStep(string Name, StepState State, Digest? Key, IReadOnlyDictionary<string, ManifestRef> Outputs);
