using System.Text.Json;

namespace Espalier.Cli.Tests;

/// <summary>What a pipeline would do, before it ran, after it ran, and after something changed.</summary>
public sealed class PlanCommandTests : IDisposable
{
    private const string Model =
        "{ family: olmoe, layers: 2, hidden: 32, heads: 2, experts: 4, top-k: 2, expert-size: 32, vocabulary: bytes }";

    private const string Calibration = """{ data: "file:text.txt", samples: 4, length: 32 }""";

    private const string Pipeline = $$"""
        name: small
        params: { seed: 3, ratio: 0.25, tokens: 4k }
        stages:
          base:
            uses: train
            with: { model: {{Model}}, data: "file:text.txt", tokens: "${tokens}", length: 32, batch: 4, seed: "${seed}" }
          grown: { uses: upcycle, needs: base, with: { method: copy, multiplier: 2, seed: 1 } }
          slim: { uses: prune, needs: grown, with: { method: heapr, ratio: "${ratio}", calibration: {{Calibration}}, seed: 1 } }
          int4: { uses: quantize, needs: slim, with: { method: rtn, bits: 4, group-size: 8, seed: 1 } }
          scores: { uses: evaluate, needs: [base, int4], with: { tasks: [validation-loss], data: "file:text.txt", length: 32, xz: false } }
          release: { uses: register, needs: [int4, scores], when: "scores.int4.loss < 100", with: { name: small } }
        """;

    private readonly CliRun _cli = new();
    private readonly string _file;

    public PlanCommandTests()
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
    public async Task Plan_BeforeAnyRun_ShowsShapesAndBytes()
    {
        var steps = await PlanAsync();

        steps.Values.Select(s => s.GetProperty("reason").GetString()).Take(1).ShouldBe(["never ran"]);
        Decisions(steps).ShouldBe("data-text=runs base=runs grown=runs slim=runs int4=runs scores=runs release=conditional");
        var base_ = steps["base"].GetProperty("after");
        base_.GetProperty("total-parameters").GetInt64().ShouldBe(257 * 32 * 2 + 2 * (4 * 32 * 32 + 2 * 32 + 2 * 32 + 4 * 32 + 4 * 3 * 32 * 32) + 32);
        steps["grown"].GetProperty("before").GetProperty("experts").GetInt32().ShouldBe(4);
        steps["grown"].GetProperty("after").GetProperty("experts").GetInt32().ShouldBe(8);
        steps["grown"].GetProperty("new-bytes").GetInt64()
            .ShouldBeLessThan(steps["grown"].GetProperty("shared-bytes").GetInt64() / 5, "copied experts are there already");
        steps["slim"].GetProperty("after").GetProperty("expert-size").GetInt32().ShouldBe(24);
        steps["int4"].GetProperty("after").GetProperty("size-bytes").GetInt64()
            .ShouldBeLessThan(steps["slim"].GetProperty("after").GetProperty("size-bytes").GetInt64() / 2);
        Directory.Exists(_cli.PathOf("home/store")).ShouldBeFalse("planning leaves nothing behind");
    }

    [Fact]
    public async Task Plan_AfterARun_EverythingIsCachedAsEstimated()
    {
        var before = await PlanAsync();
        (await _cli.CallAsync("run", _file, "--json")).ShouldBe(0, _cli.Error);

        var after = await PlanAsync();

        Decisions(after).ShouldBe("data-text=cached base=cached grown=cached slim=cached int4=cached scores=cached release=runs");
        after["release"].GetProperty("reason").GetString().ShouldBe("an effect: made sure in every run, and nothing changes where it holds already");
        foreach (var step in new[] { "base", "grown", "slim", "int4" })
        {
            var (estimated, made) = (before[step].GetProperty("after"), after[step].GetProperty("after"));
            foreach (var fact in new[] { "experts", "expert-size", "total-parameters", "active-parameters", "size-bytes" })
                estimated.GetProperty(fact).GetInt64().ShouldBe(made.GetProperty(fact).GetInt64(), $"{step} {fact}");
        }
    }

    [Fact]
    public async Task Plan_SomethingChanged_NamesItAndWhatFollows()
    {
        (await _cli.CallAsync("run", _file, "--json")).ShouldBe(0, _cli.Error);

        var steps = await PlanAsync("--param", "ratio=0.5");

        Decisions(steps).ShouldBe("data-text=cached base=cached grown=cached slim=runs int4=runs scores=runs release=conditional");
        steps["slim"].GetProperty("reason").GetString().ShouldBe("options.ratio: 0.25 before, 0.5 now");
        steps["int4"].GetProperty("reason").GetString().ShouldBe("reads what 'slim' will make");
        steps["slim"].GetProperty("seconds").GetDouble().ShouldBeGreaterThan(0);
        (await PlanAsync("--param", "tokens=8k"))["base"].GetProperty("reason").GetString().ShouldBe("options.tokens: 4000 before, 8000 now");
        (await PlanAsync("--param", "tokens=8k"))["base"].GetProperty("seconds").GetDouble().ShouldBeGreaterThan(0);
    }

    [Fact]
    public async Task Plan_StepThatCannotWork_IsRefusedBeforeASecondIsSpent()
    {
        _cli.Write("small.yaml", Pipeline.Replace("group-size: 8", "group-size: 7", StringComparison.Ordinal));

        (await _cli.CallAsync("plan", _file, "--json")).ShouldBe(ExitCodes.BadInput);

        var steps = _cli.Json.GetProperty("steps").EnumerateArray().ToDictionary(s => s.GetProperty("name").GetString()!);
        steps["int4"].GetProperty("outlook").GetString().ShouldBe("refused");
        steps["int4"].GetProperty("reason").GetString()!.ShouldContain("group-size");
        steps["release"].GetProperty("outlook").GetString().ShouldBe("skipped");
        (await _cli.CallAsync("plan", _file)).ShouldBe(ExitCodes.BadInput);
        _cli.Output.ShouldContain("int4 is refused");
    }

    private async Task<Dictionary<string, JsonElement>> PlanAsync(params string[] more)
    {
        (await _cli.CallAsync(["plan", _file, "--json", .. more])).ShouldBe(0, _cli.Error);
        return _cli.Json.GetProperty("steps").EnumerateArray().ToDictionary(s => s.GetProperty("name").GetString()!);
    }

    private static string Decisions(Dictionary<string, JsonElement> steps) =>
        string.Join(' ', steps.Select(s => $"{s.Key}={s.Value.GetProperty("outlook").GetString()}"));
}
