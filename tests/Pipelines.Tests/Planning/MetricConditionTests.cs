using Espalier.Contracts;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Tests.Planning;

/// <summary>Conditions over metrics that their step will not report.</summary>
public sealed class MetricConditionTests
{
    private static readonly IReadOnlyCollection<StageDefinition> Stages =
    [
        .. SampleStages.All.Where(s => s.Kind != StageKinds.Evaluate),
        StageDefinition.For(StageKinds.Evaluate, typeof(EvaluateOptions), SampleStages.Evaluate with
        {
            Metrics =
            [
                new("xz.bits"), new("{model}.bytes"), .. StageMetric.Named(["{model}.loss", "{model}.loss-low"], ("tasks", ["validation-loss"])),
                .. StageMetric.Named(["{model}.accuracy"], ("tasks", ["multiple-choice"])),
                new("{model}.forgetting.{domain}") { When = new Dictionary<string, string> { ["tasks"] = "validation-loss" } },
            ],
        }),
    ];

    [Theory]
    [InlineData("scores.base.loss < 3 and scores.base.bytes > 0 and scores.xz.bits < 1", null)]
    [InlineData("scores.slim.los < 3", "'when' reads 'scores.slim.los': step 'scores' (evaluate) reports no metric 'slim.los': did you mean 'slim.loss'?")]
    [InlineData("scores.c.loss < 3", "'when' reads 'scores.c.loss': step 'scores' (evaluate) reports no metric 'c.loss': valid are base.bytes, "
        + "base.forgetting.DOMAIN, base.loss, base.loss-low, slim.bytes, slim.forgetting.DOMAIN, slim.loss, slim.loss-low, xz.bits")]
    [InlineData("scores.slim.forgetting.general < 0.01 and scores.slim.forgetting.a-b < 0.1", null)]
    [InlineData("scores.slim.forgetting < 0.01", "'when' reads 'scores.slim.forgetting': step 'scores' (evaluate) reports no metric 'slim.forgetting': "
        + "valid are base.bytes, base.forgetting.DOMAIN, base.loss, base.loss-low, slim.bytes, slim.forgetting.DOMAIN, slim.loss, slim.loss-low, xz.bits")]
    [InlineData("scores.base.accuracy > 0.2", "'when' reads 'scores.base.accuracy': step 'scores' reports it only with 'tasks: multiple-choice'")]
    [InlineData("base.anything < 3", null)] // that stage does not say
    public void Plan_ConditionOverMetrics_IsCheckedAgainstWhatTheStepReports(string condition, string? problem)
    {
        var problems = ProblemsOf($"""
            name: a
            stages:
              c: {"{"} uses: prune, needs: base, when: "{condition}" {"}"}
              scores: {"{"} uses: evaluate, needs: [base, slim], with: {"{"} data: corpus:x {"}"} {"}"}
              base: {"{"} uses: train, with: {"{"} data: corpus:x, tokens: 1M {"}"} {"}"}
              slim: {"{"} uses: prune, needs: base {"}"}
            """);

        problems.ShouldBe(problem is null ? [] : [problem]);
    }

    [Fact]
    public void Plan_CorpusThatTheDatasetStageDoesNotHave_IsRefusedWhereverItStands()
    {
        var stages = Stages.Where(s => s.Kind != StageKinds.Dataset)
            .Append(StageDefinition.For(StageKinds.Dataset, typeof(DatasetOptions), SampleStages.Dataset with { Corpora = ["general", "tiny"] })).ToList();

        ProblemsOf(
            """
            name: a
            stages:
              base: { uses: train, with: { data: "corpus:genral", tokens: 1M } }
              text: { uses: dataset, with: { source: "corpus:tny" } }
              more: { uses: train, with: { data: "corpus:tiny", tokens: 1M } }
            """, stages).ShouldBe(
        [
            "'data': there is no corpus 'genral': did you mean 'general'?", "'source': there is no corpus 'tny': did you mean 'tiny'?",
        ], ignoreOrder: true);
    }

    private static List<string> ProblemsOf(string yaml, IReadOnlyCollection<StageDefinition>? stages = null)
    {
        try
        {
            PipelinePlanner.Plan(yaml, "p.yaml", new Dictionary<string, string>(), new PlanningContext { Stages = stages ?? Stages });
            return [];
        }
        catch (UserInputException e)
        {
            return [.. e.Problems.Select(p => p.Message)];
        }
    }
}
