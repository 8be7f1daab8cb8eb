using System.CommandLine;
using System.Diagnostics;

namespace Espalier.Cli.Tests;

public sealed class CommandLineTests : IDisposable
{
    private readonly CliRun _cli = new();

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Help_OfEverything_TeachesWithExamples()
    {
        (await _cli.CallAsync("--help")).ShouldBe(0);
        _cli.Output.ShouldContain("espalier run pipelines/quickstart.yaml");

        foreach (var command in new[] { "run", "resume", "plan", "stage", "import", "export", "models", "schema" })
        {
            (await _cli.CallAsync(command, "--help")).ShouldBe(0, command);
            _cli.Output.ShouldContain($"espalier {(command == "resume" ? "resume" : command)}", customMessage: command);
        }
    }

    [Theory]
    [InlineData("rnu")]
    [InlineData("run")]
    [InlineData("run a.yaml b.yaml")]
    [InlineData("import x")]
    [InlineData("stage prune --input x")]
    [InlineData("export only-one")]
    public async Task Call_WrongArguments_ExitsWithTwo(string line)
    {
        (await _cli.CallAsync(line.Split(' '))).ShouldBe(ExitCodes.BadInput);

        _cli.Output.ShouldBe("");
        _cli.Error.ShouldStartWith("command line: ");
    }

    [Theory]
    [InlineData("run nowhere.yaml", "nowhere.yaml")]
    [InlineData("plan nowhere.yaml", "nowhere.yaml")]
    [InlineData("export demo@candidate out", "There is no model 'demo@candidate'")]
    [InlineData("stage prun --input . --output out", "unknown stage 'prun': did you mean 'prune'?")]
    [InlineData("stage prune --output out", "prune works on a model: name its folder with --input.")]
    [InlineData("stage prune --input nowhere --output out", "--input nowhere: there is no such folder.")]
    [InlineData("stage prune --input a --input b --output out", "prune takes one --input")]
    [InlineData("resume 1234", "There is no run '1234'")]
    [InlineData("export demo out --shard-size 5", "--shard-size must be bytes with a unit")]
    public async Task Call_BadInput_SaysWhatAndExitsWithTwo(string line, string expected)
    {
        (await _cli.CallAsync(line.Split(' '))).ShouldBe(ExitCodes.BadInput, _cli.Error);

        _cli.Error.ShouldContain(expected);
    }

    [Fact]
    public async Task Nothing_IsHelp_InTheNameThatUsersType()
    {
        (await _cli.CallAsync()).ShouldBe(0);
        var whole = _cli.Output;
        (await _cli.CallAsync("context", "add", "--help")).ShouldBe(0);

        whole.ShouldContain("espalier [command] [options]");
        _cli.Output.ShouldContain("espalier context add <NAME> [options]");
        (whole + _cli.Output).ShouldNotContain(RootCommand.ExecutableName);
    }

    /// <summary>In a real bash, which asks the real program.</summary>
    [Theory]
    [InlineData("espalier contex", "context")]
    [InlineData("espalier signing-key cr", "create")]
    [InlineData("espalier models --js", "--json")]
    [InlineData("espalier up --store az", "azurite")]
    public async Task Completion_InBash_Completes(string typed, string expected)
    {
        (await _cli.CallAsync("completion", "bash")).ShouldBe(0);
        var words = typed.Split(' ');
        var script = _cli.Write("complete.sh", $$"""
            {{_cli.Output}}
            espalier() { dotnet '{{typeof(CommandLine).Assembly.Location}}' "$@"; }
            COMP_WORDS=({{typed}}) COMP_CWORD={{words.Length - 1}} COMP_LINE='{{typed}}' COMP_POINT={{typed.Length}}
            _espalier
            printf '%s\n' "${COMPREPLY[@]}"
            """);

        using var bash = Process.Start(new ProcessStartInfo("bash", [script]) { RedirectStandardOutput = true })!;
        var completed = await bash.StandardOutput.ReadToEndAsync();
        await bash.WaitForExitAsync();

        completed.Split('\n', StringSplitOptions.RemoveEmptyEntries).ShouldContain(expected);
    }

    [Fact]
    public async Task Json_BadInput_IsOneObjectWithProblems()
    {
        var file = _cli.Write("p.yaml", "name: a\nstages: { x: { uses: trian } }");

        (await _cli.CallAsync("plan", file, "--json")).ShouldBe(ExitCodes.BadInput);

        _cli.Json.GetProperty("error").GetString().ShouldBe("bad-input");
        var problem = _cli.Json.GetProperty("problems")[0];
        problem.GetProperty("line").GetInt32().ShouldBe(2);
        problem.GetProperty("column").GetInt32().ShouldBe(22);
        problem.GetProperty("message").GetString().ShouldBe("unknown stage 'trian': did you mean 'train'?");
        _cli.Error.ShouldContain($"{file}:2:22: unknown stage");
    }

    [Fact]
    public async Task Models_EmptyHome_MakesNothing()
    {
        (await _cli.CallAsync("models", "--json")).ShouldBe(0);

        _cli.Json.GetProperty("models").GetArrayLength().ShouldBe(0);
        Directory.Exists(_cli.PathOf("home")).ShouldBeFalse();
    }

    [Fact]
    public async Task Schema_IsAJsonSchemaOfEveryStage()
    {
        (await _cli.CallAsync("schema")).ShouldBe(0);

        var uses = _cli.Json.GetProperty("properties")
            .GetProperty("stages")
            .GetProperty("additionalProperties")
            .GetProperty("properties")
            .GetProperty("uses")
            .GetProperty("enum");
        uses.EnumerateArray().Select(u => u.GetString())
            .ShouldBe(["command", "dataset", "evaluate", "merge", "prune", "quantize", "register", "train", "upcycle"]);
    }

    [Theory]
    [InlineData("tiny.yaml")]
    [InlineData("quickstart.yaml")]
    [InlineData("grow-then-shrink.yaml")]
    public async Task Plan_OurOwnPipelines_AreValid(string name)
    {
        (await _cli.CallAsync("plan", Path.Combine(RepositoryRoot(), "pipelines", name), "--json")).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("steps").GetArrayLength().ShouldBeGreaterThan(5);
    }

    [Fact]
    public async Task Plan_OurPipelineOfTwoWorkers_HasAStepForTheSecond()
    {
        (await _cli.CallAsync("plan", Path.Combine(RepositoryRoot(), "pipelines", "two-workers.yaml"), "--json")).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("steps").EnumerateArray().Select(step => step.GetProperty("name").GetString())
            .ShouldBe(["data-tiny", "base", "shared", "shared-worker-2", "scores"]);
    }

    [Fact]
    public async Task Plan_OurPipelineWithTriggers_IsValid()
    {
        (await _cli.CallAsync("plan", Path.Combine(RepositoryRoot(), "pipelines", "nightly.yaml"), "--json")).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("steps").GetArrayLength().ShouldBe(3);
    }

    [Fact]
    public async Task Doctor_Json_IsOneObject()
    {
        (await _cli.CallAsync("doctor", "--json")).ShouldBe(0, _cli.Output);

        _cli.Json.GetProperty("findings").EnumerateArray().Select(f => f.GetProperty("name").GetString()).ShouldContain("numerics class");
    }

    internal static string RepositoryRoot()
    {
        var folder = AppContext.BaseDirectory;
        while (!File.Exists(Path.Combine(folder, "Platform.sln")))
            folder = Path.GetDirectoryName(folder) ?? throw new InvalidOperationException("No repository above the tests.");
        return folder;
    }
}
