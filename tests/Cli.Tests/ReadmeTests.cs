using System.Text.RegularExpressions;

namespace Espalier.Cli.Tests;

/// <summary>What README shows works as printed.</summary>
public sealed partial class ReadmeTests : IDisposable
{
    private static readonly string Readme = File.ReadAllText(Path.Combine(CommandLineTests.RepositoryRoot(), "README.md"));

    private readonly CliRun _cli = new();

    public static IEnumerable<object[]> StageCommands =>
        StageLine().Matches(Readme).Select(match => new object[] { match.Groups["kind"].Value, match.Groups["options"].Value });

    public void Dispose() => _cli.Dispose();

    [Fact]
    public void Pipeline_IsTheFileInPipelines() =>
        PipelineBlock().Match(Readme).Groups["text"].Value.ShouldBe(
            File.ReadAllText(Path.Combine(CommandLineTests.RepositoryRoot(), "pipelines", "grow-then-shrink.yaml")));

    [Fact]
    public void StageCommands_AreTheFiveKinds() =>
        StageCommands.Select(row => row[0]).ShouldBe(["upcycle", "prune", "quantize", "evaluate", "train"]);

    [Theory]
    [MemberData(nameof(StageCommands))]
    public async Task StageCommand_OnADirectory_Works(string kind, string options)
    {
        var model = TinyModel.Write(_cli.PathOf("in"), hidden: 32, width: 64);
        var text = _cli.Write(
            "text.txt",
            string.Join("\n\n", Enumerable.Range(0, 600).Select(i => $"Paragraph {i} says that {i} plus {i} is {2 * i}, and that word {i % 17} comes next.")));
        // A million tokens would be a minute of training; everything else is as printed.
        var given = options.Replace("file:text.txt", "file:" + text, StringComparison.Ordinal).Replace("\"1M\"", "\"8k\"", StringComparison.Ordinal);

        var code = await _cli.CallAsync("stage", kind, "--input", model, "--output", _cli.PathOf("out"), "--with", given, "--json");

        code.ShouldBe(0, _cli.Error);
        Directory.EnumerateFileSystemEntries(_cli.PathOf("out")).ShouldNotBeEmpty();
    }

    [GeneratedRegex("""```yaml\n(?<text># yaml-language-server: .*?)```""", RegexOptions.Singleline)]
    private static partial Regex PipelineBlock();

    [GeneratedRegex("""^\./espalier stage (?<kind>\w+) +--input IN --output \w+ --with '(?<options>\{.*\})'""", RegexOptions.Multiline)]
    private static partial Regex StageLine();
}
