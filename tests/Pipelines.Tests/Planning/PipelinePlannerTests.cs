using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Tests.Planning;

public sealed class PipelinePlannerTests
{
    private const string Envelope = "retry: 5, timeout: 2h, device: cuda, priority: 3";

    private const string GrowAndShrink = $$"""
        name: grow-then-shrink
        params: { seed: 7, tokens: 20M }
        stages:
          release: { uses: register, needs: [slim, scores], when: "scores.slim.loss <= scores.cpt.loss * 1.02", with: { name: demo } }
          base:    { uses: train, with: { data: corpus:general, tokens: "${tokens}", seed: "${seed}" } }
          cpt:     { uses: train, needs: base, {{Envelope}}, with: { from: "${base.model}", data: corpus:general, tokens: 5M } }
          slim:    { uses: prune, needs: cpt, with: { method: heapr, calibration: { samples: 128 } } }
          scores:  { uses: evaluate, needs: [base, cpt, slim] }
        """;

    [Fact]
    public void Plan_Example_HasStepsInOrderWithEdges()
    {
        var plan = Plan(GrowAndShrink);

        plan.Steps.Select(s => s.Name).ShouldBe(["data-general", "base", "cpt", "slim", "scores", "release"]);
        Inputs(plan, "base").ShouldBe(["data-general.data as data"]);
        Inputs(plan, "cpt").ShouldBe(["data-general.data as data", "base.model as from"], ignoreOrder: true);
        Inputs(plan, "slim").ShouldBe(["cpt.model as model", "data-general.data as calibration.data"]);
        Inputs(plan, "scores").ShouldBe(["base.model as model", "cpt.model as model", "slim.model as model", "data-general.data as data"]);
        Inputs(plan, "release").ShouldBe(["slim.model as model", "scores.report as report"]);
        Step(plan, "data-general").IsImplicit.ShouldBeTrue();
        Step(plan, "data-general").Options.GetRawText().ShouldBe("""{"source":"corpus:general","held-out":0.1}""");
        Step(plan, "base").Options.GetRawText().ShouldContain("\"data\":\"input:data\",\"tokens\":20000000");
        Step(plan, "base").Options.GetProperty("seed").GetInt32().ShouldBe(7);
        Step(plan, "slim").Options.GetProperty("calibration").GetRawText().ShouldBe("""{"data":"input:calibration.data","samples":128}""");
    }

    [Fact]
    public void Plan_Envelope_IsRead()
    {
        var cpt = Step(Plan(GrowAndShrink), "cpt");

        cpt.Retry.Attempts.ShouldBe(5);
        cpt.Timeout.ShouldBe(TimeSpan.FromHours(2));
        cpt.Device.ShouldBe("cuda");
        cpt.Priority.ShouldBe(3);
        cpt.Line.ShouldBe(6);
    }

    [Fact]
    public void Plan_AsJson_ReadsBackTheSame()
    {
        var json = JsonSerializer.Serialize(Plan(GrowAndShrink), WireJson.Options);

        JsonSerializer.Serialize(JsonSerializer.Deserialize<PipelinePlan>(json, WireJson.Options), WireJson.Options).ShouldBe(json);
    }

    [Fact]
    public void Plan_Parameters_AreReplacedFromOutside()
    {
        var plan = Plan(GrowAndShrink, new Dictionary<string, string> { ["tokens"] = "1k" });

        Step(plan, "base").Options.GetProperty("tokens").GetInt64().ShouldBe(1000);
    }

    [Fact]
    public void Plan_Matrix_ExpandsAndPairsEqualAxes()
    {
        var plan = Plan("""
            name: sweep
            stages:
              base: { uses: train, with: { data: corpus:x, tokens: 1 } }
              slim:
                uses: prune
                needs: base
                matrix: { ratio: [0.25, 0.5], method: [random, heapr], exclude: [{ ratio: 0.5, method: random }], include: [{ ratio: 0.75, method: random }] }
                with: { method: "${matrix.method}", ratio: "${matrix.ratio}" }
              again: { uses: prune, needs: slim, matrix: { ratio: [0.5, 0.75] }, with: { ratio: 0.1 } }
              scores: { uses: evaluate, needs: slim }
            """);

        plan.Steps.Where(s => s.Name.StartsWith("slim", StringComparison.Ordinal)).Select(s => s.Name)
            .ShouldBe(["slim-0-25-random", "slim-0-25-heapr", "slim-0-5-heapr", "slim-0-75-random"]);
        Step(plan, "slim-0-75-random").Options.GetProperty("ratio").GetDouble().ShouldBe(0.75);
        Step(plan, "again-0-5").Needs.ShouldBe(["slim-0-5-heapr"]);
        Step(plan, "scores").Inputs.Count(i => i.As == "model").ShouldBe(4);
    }

    [Fact]
    public void Plan_OwnFiles_AreFoundBesideTheFileAndFingerprinted()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "my notes.txt"), "text");
            var context = new PlanningContext { Stages = SampleStages.All, Fingerprint = source => "digest of " + Path.GetFileName(source) };

            var plan = PipelinePlanner.Plan(
                "name: a\nstages: { t: { uses: train, with: { data: 'file:my notes.txt', tokens: 1 } } }",
                Path.Combine(folder.FullName, "p.yaml"),
                new Dictionary<string, string>(),
                context);

            plan.Steps[0].Name.ShouldBe("data-my-notes");
            plan.Steps[0].Options.GetProperty("source").GetString().ShouldBe($"file:{folder.FullName}/my notes.txt");
            plan.Steps[0].Options.GetProperty("fingerprint").GetString().ShouldBe("digest of my notes.txt");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Fact]
    public void Plan_RegisteredModel_BecomesAnInputWithItsArtifact()
    {
        var model = new ManifestRef(ArtifactKind.Checkpoint, Digest.Of("m"u8), 5);
        var context = new PlanningContext { Stages = SampleStages.All, FindRegistered = name => new ModelFound(name == "model:demo@stable" ? model : null) };

        var plan = PipelinePlanner.Plan(
            "name: a\nstages: { t: { uses: train, with: { from: model:demo@stable, data: corpus:x, tokens: 1 } } }",
            "p.yaml",
            new Dictionary<string, string>(),
            context);

        Step(plan, "t").Inputs.Single(i => i.As == "from")
            .ShouldBe(new PlannedInput { Step = "model:demo@stable", Output = "model", As = "from", Artifact = model });
        Step(plan, "t").Needs.ShouldBe(["data-x"]);
    }

    [Theory]
    [InlineData("reset", new[] { "base.model as model" })]
    [InlineData("continue", new[] { "base.model as model", "base.trainer-state as trainer-state" })]
    public void Plan_OptimizerState_ComesWithTheModel(string policy, string[] expected)
    {
        var plan = Plan(
            "name: a\nstages:\n  base: { uses: train, with: { data: corpus:x, tokens: 1 } }\n"
            + $"  cpt: {{ uses: train, needs: base, with: {{ data: corpus:x, tokens: 1, optimizer-state: {policy} }} }}");

        Inputs(plan, "cpt").Where(i => !i.StartsWith("data", StringComparison.Ordinal)).ShouldBe(expected);
    }

    [Theory]
    [InlineData("tuned", null)]
    [InlineData("base", "step 'base' makes 'ema' only with the option 'from', which it does not set")]
    public void Plan_OutputThatNeedsAnOption_IsThereWithIt(string source, string? problem)
    {
        IReadOnlyCollection<StageDefinition> stages =
        [
            .. SampleStages.All.Where(stage => stage.Kind != StageKinds.Train),
            StageDefinition.For(StageKinds.Train, typeof(TrainOptions), SampleStages.TrainWithAverage),
        ];
        var yaml = "name: a\nstages:\n  base: { uses: train, with: { data: corpus:x, tokens: 1 } }\n"
            + "  tuned: { uses: train, with: { from: \"${base.model}\", data: corpus:x, tokens: 1 } }\n"
            + $"  next: {{ uses: train, with: {{ from: \"${{{source}.ema}}\", data: corpus:x, tokens: 1 }} }}";

        PipelinePlan Plan() => PipelinePlanner.Plan(yaml, "p.yaml", new Dictionary<string, string>(), new PlanningContext { Stages = stages });

        if (problem is null)
            Inputs(Plan(), "next").ShouldContain("tuned.ema as from");
        else
            Should.Throw<UserInputException>(Plan).Message.ShouldContain(problem);
    }

    [Theory]
    [InlineData("4")]
    [InlineData("{ attempts: 4 }")]
    public void Plan_RetryByParameter_IsReadLikeAWrittenOne(string value)
    {
        var plan = Plan($"name: a\nparams: {{ n: {value} }}\nstages: {{ t: {{ uses: train, retry: \"${{n}}\", with: {{ data: corpus:x, tokens: 1 }} }} }}");

        Step(plan, "t").Retry.Attempts.ShouldBe(4);
    }

    [Fact]
    public void Plan_NeedsByParameter_IsReadLikeAWrittenOne() =>
        Step(Plan(
                "name: a\nparams: { n: base }\nstages:\n  base: { uses: train, with: { data: corpus:x, tokens: 1 } }\n"
                + "  c: { uses: prune, needs: \"${n}\", with: { ratio: 0.1 } }"), "c")
            .Needs.ShouldBe(["base"]);

    [Theory]
    [InlineData("-1", "base.loss - (-1) < 2", 0.5, true)]
    [InlineData("+2", "base.loss - (2) < 2", 3.5, true)]
    [InlineData("1e-3", "base.loss - (1e-3) < 2", 3, false)]
    public void Plan_ParameterInACondition_IsOneValue(string value, string expected, double loss, bool isMet)
    {
        var plan = Plan(
            "name: a\nparams: { x: 0 }\nstages:\n  base: { uses: train, with: { data: corpus:x, tokens: 1 } }\n"
                + "  c: { uses: prune, needs: base, when: \"base.loss - ${x} < 2\", with: { ratio: 0.1 } }",
            new Dictionary<string, string> { ["x"] = value });

        Step(plan, "c").When.ShouldBe(expected);
        Espalier.Pipelines.Expressions.Condition.Parse(expected).IsMet(_ => new Dictionary<string, double> { ["loss"] = loss }).ShouldBe(isMet);
    }

    [Fact]
    public void Plan_SourceOfADatasetStep_IsLocatedAdmittedAndFingerprinted()
    {
        var folder = Directory.CreateTempSubdirectory();
        try
        {
            File.WriteAllText(Path.Combine(folder.FullName, "a.txt"), "text");
            var admitted = new List<string>();
            var context = new PlanningContext
            {
                Stages = SampleStages.All,
                BaseDirectory = folder.FullName,
                Fingerprint = source => "digest of " + Path.GetFileName(source),
                Admit = admitted.Add,
            };

            var plan = PipelinePlanner.Plan(
                "name: a\nstages: { d: { uses: dataset, with: { source: 'file:a.txt' } } }", "p.yaml", new Dictionary<string, string>(), context);

            admitted.ShouldBe([Path.Combine(folder.FullName, "a.txt")]);
            Step(plan, "d").Options.GetProperty("source").GetString().ShouldBe($"file:{folder.FullName}/a.txt");
            Step(plan, "d").Options.GetProperty("fingerprint").GetString().ShouldBe("digest of a.txt");
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(0xD800)]
    [InlineData(0xDFFF)]
    public void Plan_HostileFileNameOrParameter_IsRefused(int character)
    {
        var text = $"a{(char)character}b";
        var context = new PlanningContext { Stages = SampleStages.All };
        const string Yaml = "name: a\nparams: { x: 1 }\nstages: { t: { uses: train, with: { data: corpus:x, tokens: 1 } } }";

        Should.Throw<UserInputException>(() => PipelinePlanner.Plan(Yaml, text, new Dictionary<string, string>(), context));
        Should.Throw<UserInputException>(() => PipelinePlanner.Plan(Yaml, "p.yaml", new Dictionary<string, string> { ["x"] = text }, context));
    }

    [Fact]
    public void Plan_Triggers_AreChecked() =>
        Plan(
                "name: a\non: { cron: '0 3 * * 1-5', alias.moved: { model: base-*, alias: stable } }\n"
                + "stages: { t: { uses: train, with: { data: corpus:x, tokens: 1 } } }")
            .Triggers.Select(t => $"{t.Event} {t.Settings.GetRawText()}").ShouldBe(
            [
                """cron {"schedule":"0 3 * * 1-5","time-zone":"UTC","catch-up":"none","params":{},"priority":0,"max-depth":8,"pause-after":5}""",
                """alias.moved {"model":"base-*","alias":"stable","params":{},"priority":0,"max-depth":8,"pause-after":5}""",
            ]);

    [Fact]
    public void Plan_ThousandsOfSteps_AreQuick()
    {
        var stages = string.Join('\n', Enumerable.Range(0, 3000).Select(i =>
            $"  s{i}: {{ uses: prune{(i > 0 ? $", needs: s{i - 1}" : "")}, with: {{ ratio: 0.1 }} }}"));

        var plan = Plan($"name: long\nstages:\n{stages}");

        plan.Steps.Count.ShouldBe(3000);
        plan.Steps[^1].Name.ShouldBe("s2999");
    }

    private static PipelinePlan Plan(string yaml, IReadOnlyDictionary<string, string>? parameters = null) =>
        PipelinePlanner.Plan(yaml, "p.yaml", parameters ?? new Dictionary<string, string>(), new PlanningContext { Stages = SampleStages.All });

    private static PlannedStep Step(PipelinePlan plan, string name) => plan.Steps.Single(s => s.Name == name);

    private static IEnumerable<string> Inputs(PipelinePlan plan, string name) => Step(plan, name).Inputs.Select(i => $"{i.Step}.{i.Output} as {i.As}");
}
