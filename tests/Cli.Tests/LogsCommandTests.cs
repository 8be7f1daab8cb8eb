using System.Text.Json;

namespace Espalier.Cli.Tests;

/// <summary>Runs of this machine by their names, and what their logs say.</summary>
public sealed class LogsCommandTests : IDisposable
{
    private const string Pipeline = """
        name: grow
        stages:
          grown: { uses: upcycle, with: { from: "model:tiny", method: copy, multiplier: 2, router: { method: copy-noise }, seed: 5 } }
          small: { uses: quantize, needs: grown, with: { method: rtn, bits: 4, group-size: 5 } }
        """;

    private readonly CliRun _cli = new();

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Logs_OfAnEmbeddedRun_ByNameStepLevelAndText()
    {
        (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("in"), hidden: 64, width: 64), "--name", "tiny")).ShouldBe(0, _cli.Error);
        (await _cli.CallAsync("run", _cli.Write("grow.yaml", Pipeline))).ShouldBe(ExitCodes.BadInput);
        _cli.Error.ShouldContain("espalier resume grow#1");

        (await _cli.CallAsync("logs", "grow#1")).ShouldBe(0, _cli.Error);
        var all = Lines();
        all.ShouldContain(l => l.Contains("info    grown#1  succeeded", StringComparison.Ordinal));
        all.ShouldContain(l => l.Contains("error   small#1  failed: group-size 5", StringComparison.Ordinal));

        (await _cli.CallAsync("logs", "grow#1", "--level", "error")).ShouldBe(0, _cli.Error);
        Lines().ShouldBe(all.Where(l => l.Contains(" error ", StringComparison.Ordinal)));
        Lines().Length.ShouldBe(2);

        (await _cli.CallAsync("logs", "grow #1", "grown", "--search", "SUCC", "--json")).ShouldBe(0, _cli.Error);
        var line = JsonSerializer.Deserialize<JsonElement>(Lines().ShouldHaveSingleItem());
        (line.GetProperty("step").GetString(), line.GetProperty("attempt").GetInt32(), line.GetProperty("level").GetString(),
            line.GetProperty("text").GetString()).ShouldBe(("grown", 1, "info", "succeeded"));

        (await _cli.CallAsync("logs", "grow#1", "gron")).ShouldBe(ExitCodes.BadInput);
        _cli.Error.ShouldContain("Run grow#1 has no step 'gron': did you mean 'grown'?");
        (await _cli.CallAsync("logs", "grow#2")).ShouldBe(ExitCodes.BadInput);
        _cli.Error.ShouldContain("There is no run 'grow#2'");
    }

    [Fact]
    public async Task Runs_CountedByName_AreListedAndFoundByIt()
    {
        (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("in"), hidden: 64, width: 64), "--name", "tiny")).ShouldBe(0, _cli.Error);
        var file = _cli.Write("grow.yaml", Pipeline);
        await _cli.CallAsync("run", file);
        await _cli.CallAsync("run", file);

        (await _cli.CallAsync("runs", "--json")).ShouldBe(0, _cli.Error);
        _cli.Json.GetProperty("runs").EnumerateArray().Select(r => r.GetProperty("label").GetString()).ShouldBe(["grow#2", "grow#1"]);

        (await _cli.CallAsync("runs", "grow#1", "--json")).ShouldBe(0, _cli.Error);
        _cli.Json.GetProperty("label").GetString().ShouldBe("grow#1");
        (await _cli.CallAsync("resume", "grow#3")).ShouldBe(ExitCodes.BadInput);
        _cli.Error.ShouldContain("There is no run 'grow#3'; see espalier runs --name grow.");
    }

    [Fact]
    public async Task Help_OfATopicACommandAndAnUnknownWord()
    {
        (await _cli.CallAsync("help")).ShouldBe(0, _cli.Error);
        foreach (var topic in new[] { "matrix", "expressions", "units", "train", "upcycle", "prune", "quantize", "evaluate", "register", "dataset" })
            _cli.Output.ShouldContain(topic);

        (await _cli.CallAsync("help", "prune")).ShouldBe(0, _cli.Error);
        _cli.Output.ShouldContain("| `ratio` | ");
        _cli.Output.ShouldContain("`stored-ratio`");

        (await _cli.CallAsync("help", "submit")).ShouldBe(0, _cli.Error);
        _cli.Output.ShouldContain("Start a run on the platform and return at once.");

        (await _cli.CallAsync("help", "matrx")).ShouldBe(ExitCodes.BadInput);
        _cli.Error.ShouldContain("There is no topic 'matrx': did you mean 'matrix'?");
    }

    private string[] Lines() => _cli.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
}
