using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Tests.Planning;

/// <summary>Steps that planning adds so that several workers do the work of one.</summary>
public sealed class TeamStepsTests
{
    [Fact]
    public void Plan_ThreeWorkers_AddsTwoStepsThatReadAndNeedTheSame()
    {
        var plan = Plan("""
            base: { uses: train, device: cuda, priority: 2, with: { data: corpus:general, workers: 3 } }
            next: { uses: train, needs: base, with: { data: corpus:general } }
            """);

        plan.Steps.Select(s => s.Name).ShouldBe(["data-general", "base", "base-worker-2", "base-worker-3", "next"]);
        var (first, second) = (plan.Steps[1], plan.Steps[2]);
        first.IsImplicit.ShouldBeFalse();
        first.Options.GetRawText().ShouldBe("""{"data":"input:data","workers":3}""");
        second.IsImplicit.ShouldBeTrue();
        second.Options.GetRawText().ShouldBe("""{"data":"input:data","workers":3,"member":2}""");
        (second.Device, second.Priority, second.Line).ShouldBe((first.Device, first.Priority, first.Line));
        second.Inputs.ShouldBe(first.Inputs);
        second.Needs.ShouldBe(first.Needs);
        plan.Steps[4].Needs.ShouldBe(["base", "data-general"], ignoreOrder: true);
    }

    [Theory]
    [InlineData("data: corpus:general")]
    [InlineData("data: corpus:general, workers: 1")]
    public void Plan_OneWorker_AddsNone(string options)
    {
        var plan = Plan($$"""base: { uses: train, with: { {{options}} } }""");

        plan.Steps.Select(s => s.Name).ShouldBe(["data-general", "base"]);
    }

    [Fact]
    public void Plan_NameThatIsTaken_GetsANumber()
    {
        var plan = Plan("""
            base: { uses: train, with: { data: corpus:general, workers: 2 } }
            base-worker-2: { uses: train, with: { data: corpus:general } }
            """);

        plan.Steps.Select(s => s.Name).ShouldBe(["data-general", "base", "base-worker-2-2", "base-worker-2"]);
    }

    [Fact]
    public void Plan_NumberOfTheWorkerInAFile_IsNoOption()
    {
        var problem = Should.Throw<UserInputException>(() => Plan("base: { uses: train, with: { data: corpus:general, workers: 2, member: 2 } }"));

        problem.Message.ShouldContain("unknown option 'member'");
    }

    [Fact]
    public void Write_PlannedSteps_LeavesThemOut()
    {
        var text = ResolvedPipelineText.Write("a", Plan("base: { uses: train, with: { data: corpus:general, workers: 2 } }").Steps);

        text.ShouldContain("workers: 2");
        text.ShouldNotContain("worker-2:");
    }

    private static PipelinePlan Plan(string stages)
    {
        var train = StageDefinition.For(StageKinds.Train, typeof(SharedOptions), SampleStages.Train with { Team = new("workers", "member") });
        IReadOnlyCollection<StageDefinition> all = [.. SampleStages.All.Where(s => s.Kind != StageKinds.Train), train];
        var yaml = "name: a\nstages:\n" + string.Join('\n', stages.Split('\n').Select(line => "  " + line));
        return PipelinePlanner.Plan(yaml, "p.yaml", new Dictionary<string, string>(), new PlanningContext { Stages = all });
    }

    private sealed record SharedOptions
    {
        [Option("Text to train on.", Kind = OptionKind.Dataset, Required = true)]
        public string Data { get; init; } = "";

        [Option("Workers.", Min = 1)]
        public int? Workers { get; init; }

        [SetByPlanning]
        public int? Member { get; init; }
    }
}
