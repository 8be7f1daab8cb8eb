using System.Text.Json;

namespace Espalier.Cli.Tests;

/// <summary>Whole pipelines in this process: bus, ledger, store, orchestrator, worker.</summary>
public sealed class RunCommandTests : IDisposable
{
    private const string Model =
        "{ family: olmoe, layers: 1, hidden: 16, heads: 2, experts: 2, top-k: 1, expert-size: 8, vocabulary: bytes }";

    private const string Pipeline = $$"""
        name: small
        params: { seed: 3, growth: copy }
        stages:
          base:
            uses: train
            with: { model: {{Model}}, data: "file:text.txt", tokens: 4k, length: 32, batch: 4, seed: "${seed}" }
          grown: { uses: upcycle, needs: base, with: { method: "${growth}", multiplier: 2, seed: "${seed}" } }
          scores: { uses: evaluate, needs: [base, grown], with: { tasks: [validation-loss], data: "file:text.txt", length: 32, xz: false } }
          release: { uses: register, needs: [grown, scores], when: "scores.grown.loss < 100", with: { name: small, alias: candidate } }
          never: { uses: register, needs: [base, scores], when: "scores.base.loss < 0", with: { name: never } }
        """;

    private readonly CliRun _cli = new();
    private readonly string _file;

    public RunCommandTests()
    {
        _cli.Write(
            "text.txt",
            string.Join(
                "\n\n",
                Enumerable.Range(0, 300).Select(i => $"Line {i} of a text in which {i} times {i} is {i * i}, and the sum of {i} and {i + 1} is {i + i + 1}.")));
        _file = _cli.Write("small.yaml", Pipeline);
    }

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Run_ModelBeyondItsFamily_SaysSoInTheResultOfItsStep_AlsoFromTheCache()
    {
        var pipeline = _cli.Write("beyond.yaml", $$"""
            name: beyond
            stages:
              base: { uses: train, with: { model: {{Model}}, data: "file:text.txt", tokens: 1k, length: 32, batch: 4, balance: loss-free, seed: 3 } }
            """);

        foreach (var state in new[] { "succeeded", "cached" })
        {
            (await _cli.CallAsync("run", pipeline, "--json")).ShouldBe(0, _cli.Error);
            var step = _cli.Json.GetProperty("steps").GetProperty("base");
            step.GetProperty("state").GetString().ShouldBe(state);
            step.GetProperty("notes").EnumerateArray().Select(n => n.GetString()!).ShouldContain(n => n.Contains("selection bias") && n.Contains("fold"));
        }
        (await _cli.CallAsync("runs", _cli.Json.GetProperty("run").GetString()!, "--json")).ShouldBe(0, _cli.Error);
        _cli.Output.ShouldContain("selection bias");
    }

    [Fact]
    public async Task Run_Twice_ComputesOnce()
    {
        (await _cli.CallAsync("run", _file, "--json")).ShouldBe(0, _cli.Error);
        var first = _cli.Json;
        _cli.Output.TrimEnd().ShouldNotContain('\n', "scripts read one object from one line");
        Guid.Parse(first.GetProperty("run").GetString()!).ShouldNotBe(Guid.Empty);
        (first.GetProperty("state").GetString(), first.GetProperty("steps").GetProperty("base").GetProperty("attempts").GetInt32()).ShouldBe(("succeeded", 1));
        first.GetProperty("steps").GetProperty("never").GetProperty("root").ValueKind.ShouldBe(JsonValueKind.Null);
        States(first).ShouldBe("data-text=succeeded base=succeeded grown=succeeded scores=succeeded release=succeeded never=skipped");
        File.Exists(first.GetProperty("report").GetString()).ShouldBeTrue();
        first.GetProperty("models").EnumerateArray().Select(m => m.GetProperty("model").GetString()).ShouldBe(["base", "grown"]);

        (await _cli.CallAsync("run", _file, "--json")).ShouldBe(0, _cli.Error);
        // A registration is an effect: made sure again, and it held already.
        States(_cli.Json).ShouldBe("data-text=cached base=cached grown=cached scores=cached release=succeeded never=skipped");
        RootOf(_cli.Json, "grown").ShouldBe(RootOf(first, "grown"));

        (await _cli.CallAsync("run", _file, "--json", "--fresh", "--param", "seed=3")).ShouldBe(0, _cli.Error);
        States(_cli.Json).ShouldStartWith("data-text=succeeded base=succeeded grown=succeeded");
        RootOf(_cli.Json, "grown").ShouldBe(RootOf(first, "grown"), "computed again, the same bytes come out");

        (await _cli.CallAsync("models", "--json")).ShouldBe(0);
        _cli.Json.GetProperty("models").GetArrayLength().ShouldBe(1);
        (await _cli.CallAsync("runs", "--json")).ShouldBe(0);
        _cli.Json.GetProperty("runs").GetArrayLength().ShouldBe(3);
        (await _cli.CallAsync("runs", "--state", "succeeded", "--limit", "2", "--json")).ShouldBe(0, _cli.Error);
        _cli.Json.GetProperty("runs").GetArrayLength().ShouldBe(2);
        var last = _cli.Json.GetProperty("runs")[1].GetProperty("run-id").GetString()!;
        (await _cli.CallAsync("runs", "--before", last, "--json")).ShouldBe(0, _cli.Error);
        _cli.Json.GetProperty("runs").GetArrayLength().ShouldBe(1);
        var id = first.GetProperty("run").GetString()!;
        (await _cli.CallAsync("runs", id, "--json")).ShouldBe(0, _cli.Error);
        States(_cli.Json).ShouldBe("data-text=succeeded base=succeeded grown=succeeded scores=succeeded release=succeeded never=skipped");
        (await _cli.CallAsync("runs", "ffff")).ShouldBe(ExitCodes.BadInput);
    }

    [Fact]
    public async Task Run_StepFailsOnItsInput_ExitsWithTwoAndNamesTheStep()
    {
        _cli.Write("text.txt", "");

        (await _cli.CallAsync("run", _file)).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("data-text failed:");
        _cli.Error.ShouldContain("espalier resume");
    }

    [Fact]
    public async Task Run_UnknownMethodAndParameter_AreRefusedBeforeAnythingStarts()
    {
        (await _cli.CallAsync("run", _file, "--param", "growth=cpy", "--param", "sed=1")).ShouldBe(ExitCodes.BadInput);

        _cli.Error.ShouldContain("'method' cannot be 'cpy': did you mean 'copy'?");
        _cli.Error.ShouldContain("--param sed: the pipeline has no such parameter: did you mean 'seed'?");
        Directory.Exists(_cli.PathOf("home/store")).ShouldBeFalse();
    }

    private static string States(JsonElement run) =>
        string.Join(' ', run.GetProperty("steps").EnumerateObject().Select(s => $"{s.Name}={s.Value.GetProperty("state").GetString()}"));

    private static string? RootOf(JsonElement run, string step) =>
        run.GetProperty("steps").GetProperty(step).GetProperty("root").GetString();
}
