using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Tests.Planning;

/// <summary>A plan written as a file again is the same plan.</summary>
public sealed class ResolvedPipelineTextTests
{
    private const string Envelope = "retry: { attempts: 5, backoff: 90s }, timeout: 2h, device: cuda, priority: 3";

    private const string Everything = $$"""
        name: everything
        params: { seed: 7, tokens: 20M, limit: 30m }
        defaults: { train: { learning-rate: 1e-3 } }
        stages:
          base:    { uses: train, description: "the start: plain", with: { data: corpus:general, tokens: "${tokens}", seed: "${seed}", limit: "${limit}" } }
          cpt:     { uses: train, needs: base, {{Envelope}}, with: { from: "${base.model}", data: corpus:general, tokens: 5M, mix: { code: 0.5, "yes": 1 } } }
          mixed:   { uses: train, with: { data: [{ from: "corpus:code", weight: 0.25 }, { from: "corpus:prose", weight: 0.75 }], tokens: 1M } }
          other:   { uses: train, with: { from: "model:demo@stable", data: corpus:code, tokens: 1M } }
          slim:
            uses: prune
            needs: cpt
            matrix: { ratio: [0.25, 0.5] }
            with: { method: heapr, ratio: "${matrix.ratio}", keep: [0, 3], calibration: { samples: 128 } }
          scores:  { uses: evaluate, needs: [base, cpt, slim, other] }
          release: { uses: register, needs: [cpt, scores], when: "scores.cpt.loss <= scores.base.loss * 1.02", with: { name: "123" } }
        """;

    [Fact]
    public void Write_EveryKindOfOption_PlansToTheSameSteps()
    {
        var plan = Plan(Everything);

        var text = ResolvedPipelineText.Write(plan.Name, plan.Steps);

        var again = Plan(text);
        again.Name.ShouldBe("everything");
        again.Steps.Select(s => s.Name).ShouldBe(plan.Steps.Select(s => s.Name));
        foreach (var (first, second) in plan.Steps.Zip(again.Steps))
            Written(second with { Line = first.Line }).ShouldBe(Written(first), text);

        // A dataset that a step took over stands in the text, and comes before the steps that are needed.
        static string Written(PlannedStep step) => JsonSerializer.Serialize(
            step with { Inputs = [.. step.Inputs.OrderBy(i => i.As).ThenBy(i => i.Step)], Needs = [.. step.Needs.Order()] }, WireJson.Options);
    }

    [Fact]
    public void Write_ParametersAndMatrix_AreFilledIn()
    {
        var text = ResolvedPipelineText.Write("everything", Plan(Everything).Steps);

        text.ShouldContain("tokens: 20000000");
        text.ShouldContain("slim-0-25:");
        text.ShouldContain("name: \"123\"");
        text.ShouldContain("model:demo@stable");
        text.ShouldNotContain("${tokens}");
        text.ShouldNotContain("matrix");
        text.ShouldNotContain("data-general");
    }

    private static PipelinePlan Plan(string yaml) => PipelinePlanner.Plan(yaml, "pipeline.yaml", new Dictionary<string, string>(), new PlanningContext
    {
        Stages = SampleStages.All,
        FindRegistered = _ => new ModelFound(new ManifestRef(ArtifactKind.Checkpoint, Digest.Of("m"u8), 1)),
    });
}
