using System.CommandLine;
using System.Text.Json;
using Espalier.Cli;
using Espalier.Cli.Terminals;

namespace Espalier.Bench.Tests;

/// <summary>The command with a text of a few megabytes.</summary>
public sealed class TextStreamTests : IDisposable
{
    private readonly DirectoryInfo _folder = Directory.CreateTempSubdirectory("espalier-text-bench-");
    private readonly StringWriter _output = new();
    private readonly StringWriter _error = new();

    public void Dispose()
    {
        _folder.Delete(recursive: true);
        _output.Dispose();
        _error.Dispose();
    }

    [Fact]
    public async Task Text_SmallSize_StreamsItAllAndLeavesNothing()
    {
        (await RunAsync("--size", "6MB", "--most", "300MiB", "--json")).ShouldBe(ExitCodes.Done, _error.ToString());

        var result = JsonSerializer.Deserialize<JsonElement>(_output.ToString());
        var text = result.GetProperty("text-bytes").GetInt64();
        text.ShouldBeInRange(6_000_000, 6_010_000);
        result.GetProperty("kept-bytes").GetInt64().ShouldBeInRange(text * 9 / 10, text); // all but the validation split's twentieth
        result.GetProperty("documents").GetInt64().ShouldBeGreaterThan(1000);
        result.GetProperty("file-bytes").GetInt64().ShouldBeLessThan(text / 2);
        (result.GetProperty("megabytes-per-second").GetDouble() * result.GetProperty("seconds").GetDouble()).ShouldBe(text / 1e6, 1e-6);
        result.GetProperty("peak-bytes").GetInt64().ShouldBeGreaterThan(1 << 20);
        _folder.EnumerateFileSystemInfos().ShouldBeEmpty();
    }

    [Fact]
    public async Task Text_BadSize_SaysWhatIsExpected()
    {
        (await RunAsync("--size", "much")).ShouldBe(ExitCodes.BadInput);

        _error.ToString().ShouldContain("--size: expected bytes with a unit");
    }

    private Task<int> RunAsync(params string[] options)
    {
        var terminal = new Terminal(_output, _error, isInteractive: false);
        string[] args = ["bench", "text", "--folder", _folder.FullName, .. options];
        return CommandLine.RunAsync(new RootCommand { BenchCommand.Create(terminal) }, args, terminal, CancellationToken.None);
    }
}
