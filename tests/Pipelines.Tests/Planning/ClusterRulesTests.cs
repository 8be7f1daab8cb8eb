using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Tests.Planning;

/// <summary>Which steps run as Jobs of a cluster, and what they must say.</summary>
public sealed class ClusterRulesTests
{
    [Fact]
    public void Plan_CommandWithAnImage_GoesToTheCluster()
    {
        var plan = Plan("a: { uses: command, device: kubernetes, with: { image: trainer, nodes: 2 } }");

        plan.Steps.Single().Device.ShouldBe(DeviceNames.Kubernetes);
    }

    [Theory]
    [InlineData(
        "a: { uses: train, device: kubernetes, with: { data: corpus:general, tokens: 1M } }",
        "p.yaml:3:29: 'train' does not run as a Job of a cluster: use cpu or cuda")]
    [InlineData("a: { uses: command, device: kubernetes }", "p.yaml:3:31: a step on kubernetes needs 'image' in 'with'")]
    [InlineData(
        "a: { uses: command, with: { nodes: 2 } }", "p.yaml:3:38: image, nodes are for Jobs of a cluster: add 'device: kubernetes' to the step")]
    public void Plan_OptionsOfTheOtherKind_AreRefusedWithTheirPlace(string stage, string problem) =>
        Should.Throw<UserInputException>(() => Plan(stage)).Problems.Select(p => p.ToString()).ShouldBe([problem]);

    private static PipelinePlan Plan(string stage)
    {
        var command = StageDefinition.For(
            StageKinds.Command, typeof(CommandOptions), new StageTraits { RunsPrograms = true, Clusters = new StageClusters("image", ["image", "nodes"]) });
        return PipelinePlanner.Plan(
            $"name: a\nstages:\n  {stage}", "p.yaml", new Dictionary<string, string>(), new PlanningContext { Stages = [.. SampleStages.All, command] });
    }

    private sealed record CommandOptions
    {
        [Option("Image.")]
        public string? Image { get; init; }

        [Option("Nodes.", Min = 1)]
        public int Nodes { get; init; } = 1;
    }
}
