using System.Text.Json;
using Microsoft.Data.Sqlite;

namespace Espalier.Cli.Tests;

/// <summary>Database and store of a home come from different moments: what is missing is said, marked, and made again to the same bytes.</summary>
public sealed class RepairCommandTests : IDisposable
{
    private const string Pipeline = """
        name: grow
        params: { seed: 5 }
        stages:
          grown: { uses: upcycle, with: { from: "model:tiny", method: copy, multiplier: 2, router: { method: copy-noise }, seed: "${seed}" } }
          release: { uses: register, needs: grown, with: { name: grown, alias: candidate } }
          small: { uses: quantize, needs: grown, with: { from: "${grown.model}", method: rtn, bits: 4, group-size: 32 } }
        """;

    private readonly CliRun _cli = new();
    private readonly string _pipeline;

    public RepairCommandTests() => _pipeline = _cli.Write("grow.yaml", Pipeline);

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Repair_WholeHome_ChangesNothing()
    {
        await RunAsync();

        (await _cli.CallAsync("repair", "--json")).ShouldBe(0, _cli.Error);

        _cli.Json.GetProperty("ok").GetBoolean().ShouldBeTrue();
        _cli.Json.GetProperty("findings").GetArrayLength().ShouldBe(0, _cli.Output);
        foreach (var (what, least) in new[] { ("records", 3), ("results", 3), ("versions", 2), ("blobs", 10) })
            _cli.Json.GetProperty(what).GetInt32().ShouldBeGreaterThanOrEqualTo(least, what);
        (await _cli.CallAsync("repair")).ShouldBe(0);
        _cli.Output.ShouldContain("nothing is missing");
    }

    [Fact]
    public async Task Repair_StoreOlderThanTheDatabase_FlagsTheVersionUntilItsPipelineHasRunAgain()
    {
        var roots = await RunAsync(keepStoreBefore: true, "--param", "seed=6");
        RestoreStore();

        (await _cli.CallAsync("repair", "--dry-run", "--json")).ShouldBe(ExitCodes.Failed, _cli.Error);
        var version = Find("version-incomplete").ShouldHaveSingleItem();
        version.GetProperty("model").GetString().ShouldBe("grown");
        version.GetProperty("aliases").EnumerateArray().Select(a => a.GetString()).ShouldBe(["candidate"]);
        version.GetProperty("is-done").GetBoolean().ShouldBeFalse();
        var command = version.GetProperty("command").GetString()!;
        Find("result-gone").Select(f => f.GetProperty("step").GetString()).ShouldBe(["grown", "small"]);
        (await TagsAsync()).ShouldBeEmpty("a dry run changes nothing");

        (await _cli.CallAsync("repair")).ShouldBe(ExitCodes.Failed, _cli.Error);
        _cli.Output.ShouldContain("grown@1 (candidate)");
        _cli.Output.ShouldContain($"then: {command}");
        (await TagsAsync()).ShouldHaveSingleItem().ShouldContain("no artifact");

        command.ShouldBe($"espalier run {_pipeline} --param seed=6");
        (await _cli.CallAsync([.. command.Split(' ')[1..], "--json"])).ShouldBe(0, _cli.Error);
        Roots().ShouldBe(roots);
        (await _cli.CallAsync("repair", "--json")).ShouldBe(0, _cli.Output);
        Find("version-whole").ShouldHaveSingleItem().GetProperty("is-done").GetBoolean().ShouldBeTrue();
        (await TagsAsync()).ShouldBeEmpty();
    }

    [Fact]
    public async Task Repair_RunInFlightWithoutItsInputs_DoesThemAgainAndEndsWithTheSameRoots()
    {
        var roots = await RunAsync(keepStoreBefore: true);
        var run = _cli.Json.GetProperty("run").GetGuid();
        // As a copy of the database that was taken while the last step ran.
        Execute(
            "update run set state = 'running', open_steps = 1, ended_at = null",
            "update step set state = 'running', worker = 'gone', lease_until = 5, outputs = null, ended_at = null where name = 'small'");
        RestoreStore();

        (await _cli.CallAsync("repair", "--json")).ShouldBe(ExitCodes.Failed, _cli.Error);

        var lost = Find("result-lost").ShouldHaveSingleItem();
        (lost.GetProperty("step").GetString(), lost.GetProperty("is-done").GetBoolean()).ShouldBe(("grown", true));
        lost.GetProperty("command").GetString().ShouldBe($"espalier resume {run:N}");
        var lease = Find("lease-over").ShouldHaveSingleItem();
        (lease.GetProperty("step").GetString(), lease.GetProperty("is-done").GetBoolean()).ShouldBe(("small", true));
        (await _cli.CallAsync("resume", $"{run:N}", "--json")).ShouldBe(0, _cli.Error);
        Roots().ShouldBe(roots);
        _cli.Json.GetProperty("steps").GetProperty("grown").GetProperty("state").GetString().ShouldBe("succeeded");
        (await _cli.CallAsync("repair")).ShouldBe(0, _cli.Output);
    }

    [Fact]
    public async Task Repair_DatabaseOlderThanTheStore_NothingIsMissingAndTheResultsAreFound()
    {
        (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("in"), hidden: 64, width: 64), "--name", "tiny")).ShouldBe(0, _cli.Error);
        var database = CopyDatabase();
        (await _cli.CallAsync("run", _pipeline, "--json")).ShouldBe(0, _cli.Error);
        var roots = Roots();
        SqliteConnection.ClearAllPools();
        foreach (var (name, bytes) in database)
            File.WriteAllBytes(_cli.PathOf($"home/{name}"), bytes);

        (await _cli.CallAsync("repair", "--json")).ShouldBe(0, _cli.Error);

        Find("result-unknown").Select(f => f.GetProperty("step").GetString()).Order().ShouldBe(["grown", "release", "small"]);
        (await _cli.CallAsync("run", _pipeline, "--json")).ShouldBe(0, _cli.Error);
        Roots().ShouldBe(roots);
        foreach (var step in new[] { "grown", "small" })
            _cli.Json.GetProperty("steps").GetProperty(step).GetProperty("state").GetString().ShouldBe("cached", step);
        (await _cli.CallAsync("models", "--json")).ShouldBe(0);
        _cli.Output.ShouldContain("\"grown\"", Case.Sensitive, "the registration is made again");
    }

    [Fact]
    public async Task Repair_CutStepRecord_IsSetAsideAndTheStepIsDoneAgain()
    {
        var roots = await RunAsync();
        var key = _cli.Json.GetProperty("steps").GetProperty("small").GetProperty("key").GetString()!;
        File.WriteAllText(_cli.PathOf($"home/store/records/steps/{key}"), "{\"outputs\":");

        (await _cli.CallAsync("repair", "--json")).ShouldBe(ExitCodes.Failed, _cli.Error);

        var finding = Find("record-unusable").ShouldHaveSingleItem();
        (finding.GetProperty("step").GetString(), finding.GetProperty("is-done").GetBoolean()).ShouldBe(("small", true));
        File.Exists(_cli.PathOf($"home/store/records/damaged/steps-{key}")).ShouldBeTrue("what was there is kept");
        (await _cli.CallAsync("run", _pipeline, "--json")).ShouldBe(0, _cli.Error);
        Roots().ShouldBe(roots);
        (await _cli.CallAsync("repair")).ShouldBe(0, _cli.Output);
    }

    [Fact]
    public async Task Repair_SettingsNameOnlyTheStore_IsRefusedWithWhatIsMissing()
    {
        Environment.SetEnvironmentVariable("ESPALIER__STORE__LOCATION", $"file:{_cli.PathOf("elsewhere")}");
        try
        {
            (await _cli.CallAsync("repair", "--dry-run")).ShouldBe(ExitCodes.BadInput);
        }
        finally
        {
            Environment.SetEnvironmentVariable("ESPALIER__STORE__LOCATION", null);
        }

        _cli.Error.ShouldContain("store:location is set and orchestrator:connection and registry:database not");
    }

    [Fact]
    public async Task Repair_DryRunOnASchemaOfAnOlderVersion_RefusesInsteadOfChangingIt()
    {
        await RunAsync();
        Execute("delete from schema_version where version = (select max(version) from schema_version)");

        (await _cli.CallAsync("repair", "--dry-run")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("older version");
    }

    private async Task<Dictionary<string, string>> RunAsync(bool keepStoreBefore = false, params string[] options)
    {
        (await _cli.CallAsync("import", TinyModel.Write(_cli.PathOf("in"), hidden: 64, width: 64), "--name", "tiny")).ShouldBe(0, _cli.Error);
        if (keepStoreBefore)
            CopyFolder(_cli.PathOf("home/store"), _cli.PathOf("store-before"));
        (await _cli.CallAsync(["run", _pipeline, "--json", .. options])).ShouldBe(0, _cli.Error);
        return Roots();
    }

    private Dictionary<string, string> Roots() => _cli.Json.GetProperty("steps").EnumerateObject().ToDictionary(
        s => s.Name,
        s => string.Join(' ', s.Value.GetProperty("outputs").EnumerateObject().Select(o => $"{o.Name}={o.Value.GetProperty("root").GetString()}")));

    private List<JsonElement> Find(string kind) =>
        [.. _cli.Json.GetProperty("findings").EnumerateArray().Where(f => f.GetProperty("kind").GetString() == kind)];

    private void RestoreStore()
    {
        Directory.Delete(_cli.PathOf("home/store"), recursive: true);
        CopyFolder(_cli.PathOf("store-before"), _cli.PathOf("home/store"));
    }

    private Dictionary<string, byte[]> CopyDatabase()
    {
        SqliteConnection.ClearAllPools();
        return Directory.EnumerateFiles(_cli.PathOf("home"), "espalier.db*").ToDictionary(f => Path.GetFileName(f), File.ReadAllBytes);
    }

    private async Task<List<string>> TagsAsync()
    {
        await using var connection = new SqliteConnection($"Data Source={_cli.PathOf("home/espalier.db")}");
        await connection.OpenAsync();
        await using var command = connection.CreateCommand();
        command.CommandText = "select value from registry_tag where tag = 'espalier.incomplete'";
        var tags = new List<string>();
        await using var reader = await command.ExecuteReaderAsync();
        while (await reader.ReadAsync())
            tags.Add(reader.GetString(0));
        return tags;
    }

    private void Execute(params string[] statements)
    {
        using var connection = new SqliteConnection($"Data Source={_cli.PathOf("home/espalier.db")}");
        connection.Open();
        foreach (var statement in statements)
        {
            using var command = connection.CreateCommand();
            command.CommandText = statement;
            command.ExecuteNonQuery().ShouldBeGreaterThan(0, statement);
        }
    }

    private static void CopyFolder(string from, string to)
    {
        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(to, Path.GetRelativePath(from, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }
}
