using System.Text.Json;
using Espalier.TestKit.Servers;

namespace Espalier.Integration.Tests.Platform;

/// <summary>The command line as a process with a home of its own.</summary>
internal sealed class CliProcess(string home, IReadOnlyDictionary<string, string> environment)
{
    private const string OutputToFile = """exec "$@" >"$RESULT" """;

    /// <summary>Runs a command to its end; returns its standard output.</summary>
    public async Task<string> CallAsync(int expectedCode, params string[] arguments)
    {
        var result = Path.GetTempFileName();
        var variables = environment.Append(new("ESPALIER_HOME", home)).Append(new("RESULT", result)).ToDictionary();
        await using var process = ServerProcess.Start(
            "KILL", variables, ["sh", "-c", OutputToFile, "cli", "dotnet", Repository.Assembly("services/Cli"), .. arguments]);
        var code = await process.WaitForExitAsync(TimeSpan.FromMinutes(6));
        var output = await File.ReadAllTextAsync(result);
        File.Delete(result);
        code.ShouldBe(expectedCode, $"espalier {string.Join(' ', arguments)}\n{process.Output}\n{output}");
        return output;
    }

    /// <summary>Runs a command that prints one object.</summary>
    public async Task<JsonElement> AskAsync(params string[] arguments) => JsonSerializer.Deserialize<JsonElement>(await CallAsync(0, arguments));
}
