using Espalier.Platform;
using Espalier.Contracts;

namespace Espalier.Cli.Tests;

/// <summary>What stages say of their metrics, on which the checks of conditions rely, is what they report.</summary>
public sealed class DeclaredMetricsTests : IDisposable
{
    private const string Model =
        "{ family: olmoe, layers: 2, hidden: 32, heads: 2, experts: 4, top-k: 2, expert-size: 32, vocabulary: bytes }";

    private const string Pipeline = $$"""
        name: everything
        params: { text: "corpus:synthetic" }
        stages:
          base: { uses: train, with: { model: {{Model}}, data: "${text}", tokens: 2k, length: 32, batch: 4 } }
          grown: { uses: upcycle, needs: base, with: { method: copy, multiplier: 2, calibration: { data: "${text}", samples: 4, length: 32 } } }
          deep:
            uses: upcycle
            needs: base
            with: { method: depth, factor: 2, total-tokens: 1M, calibration: { data: "${text}", samples: 4, length: 32 } }
          cpt:
            uses: train
            needs: grown
            with: { data: "${text}", tokens: 1k, length: 32, batch: 4, teacher: "${base.model}", validate: { tokens: 200 } }
          slim: { uses: prune, needs: cpt, with: { method: heapr, ratio: 0.25, calibration: { data: "${text}", samples: 4, length: 32 } } }
          int4: { uses: quantize, needs: slim, with: { method: rtn, bits: 4, group-size: 8 } }
          scores:
            uses: evaluate
            needs: [base, cpt, int4]
            with: { tasks: [validation-loss, agreement, routing], baseline: base, data: "${text}", length: 32, max-documents: 8, xz: true }
        """;

    private static readonly string[] OfDomains = ["held-out-loss.", "forgetting.", StageMetric.Model + ".forgetting.", StageMetric.Model + ".loss."];

    private readonly CliRun _cli = new();

    public void Dispose() => _cli.Dispose();

    [Fact]
    public async Task Run_EveryStage_ReportsOnlyMetricsThatItDeclares_AndThoseThatApply()
    {
        (await _cli.CallAsync("run", _cli.Write("everything.yaml", Pipeline), "--json")).ShouldBe(0, _cli.Error + _cli.Output);
        var declared = Hosting.Stages.All(new EspalierHome(_cli.PathOf("home"))).ToDictionary(s => s.Kind, s => s.Traits.Metrics);

        foreach (var step in _cli.Json.GetProperty("steps").EnumerateObject())
        {
            var kind = step.Value.GetProperty("kind").GetString()!;
            var reported = step.Value.GetProperty("metrics").EnumerateObject().Select(m => Declared(kind, m.Name)).Distinct().ToList();
            reported.ShouldBeSubsetOf(declared[kind].Select(m => m.Name), $"step {step.Name}");
            var certain = declared[kind].Where(m => m.When.Count == 0 && !m.Name.StartsWith("expected-", StringComparison.Ordinal)) // too few steps
                .Select(m => m.Name);
            if (step.Name is not "base") // whose experts have no siblings
                certain.ShouldBeSubsetOf(reported, $"step {step.Name}");
        }

        static string Declared(string kind, string name)
        {
            if (kind == StageKinds.Evaluate && !name.StartsWith("xz.", StringComparison.Ordinal))
                name = StageMetric.Model + name[name.IndexOf('.', StringComparison.Ordinal)..];
            return OfDomains.FirstOrDefault(start => name.StartsWith(start, StringComparison.Ordinal)) is { } found ? found + StageMetric.Domain : name;
        }
    }

    [Fact]
    public async Task Plan_WhatCouldOnlyFailAtTheLastStep_IsRefusedAtOnce()
    {
        var file = _cli.Write("late.yaml", $$"""
            name: late
            stages:
              base: { uses: train, with: { model: {{Model}}, data: "corpus:synthetc", tokens: 2k } }
              text: { uses: dataset, with: { source: "corpus:tny" } }
              grown: { uses: upcycle, needs: base, with: { method: copy, multiplier: 2 } }
              scores: { uses: evaluate, needs: [base, grown], with: { tasks: [validation-loss], data: "corpus:tiny" } }
              int4: { uses: quantize, needs: grown, when: "scores.grown.los < 3", with: { method: rtn } }
              slim: { uses: prune, needs: grown, when: "scores.grown.accuracy > 0.3", with: { method: random, ratio: 0.5 } }
              less: { uses: prune, needs: grown, when: "grown.loss-after < 3 and scores.grown.loss-difference < 0", with: { method: random, ratio: 0.5 } }
              release: { uses: register, needs: grown, with: { name: "my model", alias: Latest } }
            """);

        (await _cli.CallAsync("plan", file)).ShouldBe(ExitCodes.BadInput, _cli.Output);

        _cli.Error.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).ShouldBe(
        [
            $"{file}:3:155: 'data': there is no corpus 'synthetc': did you mean 'synthetic'?",
            $"{file}:4:34: 'source': there is no corpus 'tny': did you mean 'tiny'?",
            $"{file}:7:48: 'when' reads 'scores.grown.los': step 'scores' (evaluate) reports no metric 'grown.los': did you mean 'grown.loss'?",
            $"{file}:8:45: 'when' reads 'scores.grown.accuracy': step 'scores' reports it only with 'tasks: multiple-choice'",
            $"{file}:9:45: 'when' reads 'grown.loss-after': step 'grown' reports it only with 'calibration'",
            $"{file}:9:70: 'when' reads 'scores.grown.loss-difference': step 'scores' reports it only with 'baseline'",
            $"{file}:10:58: 'name' must be 1 to 100 letters, digits, '-', '_' or '.', starting with a letter or digit; found 'my model'",
            $"{file}:10:77: 'alias' must be 1 to 100 letters, digits, '-', '_' or '.', starting with a letter or digit, and neither 'latest' "
                + "nor a version's number, which mean versions; found 'Latest'",
        ]);
    }
}
