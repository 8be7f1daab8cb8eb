using System.Text.Json;
using Espalier.Cli.Terminals;

[assembly: CollectionBehavior(DisableTestParallelization = true)]

namespace Espalier.Cli.Tests;

/// <summary>Runs the command line in this process, with its own home.</summary>
internal sealed class CliRun : IDisposable
{
    private readonly string? _homeBefore = Environment.GetEnvironmentVariable("ESPALIER_HOME");

    public CliRun() => Environment.SetEnvironmentVariable("ESPALIER_HOME", Path.Combine(Folder, "home"));

    /// <summary>A folder that is gone afterwards.</summary>
    public string Folder { get; } = Directory.CreateTempSubdirectory("espalier-cli-").FullName;

    public string Output { get; private set; } = "";

    public string Error { get; private set; } = "";

    public JsonElement Json => JsonSerializer.Deserialize<JsonElement>(Output);

    public string PathOf(string name) => Path.Combine(Folder, name);

    public string Write(string name, string text)
    {
        File.WriteAllText(PathOf(name), text);
        return PathOf(name);
    }

    public async Task<int> CallAsync(params string[] args)
    {
        using var output = new StringWriter();
        using var error = new StringWriter();
        using var limit = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var code = await CommandLine.RunAsync(args, new Terminal(output, error, isInteractive: false), limit.Token);
        (Output, Error) = (output.ToString(), error.ToString());
        return code;
    }

    public void Dispose()
    {
        Environment.SetEnvironmentVariable("ESPALIER_HOME", _homeBefore);
        Directory.Delete(Folder, recursive: true);
    }
}
