using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Tests.Planning;

/// <summary>Datasets that the registry knows by name, as sources of text.</summary>
public sealed class RegisteredDatasetTests
{
    private static readonly ManifestRef Notes = new(ArtifactKind.Dataset, Digest.Of("notes"u8), 10);

    [Fact]
    public void Plan_OneDataset_IsAnInputOfItsOwnAndGoesOnToLaterSteps()
    {
        var plan = Plan(
            "base: { uses: train, with: { data: 'dataset:notes@2', tokens: 1 } }",
            "scores: { uses: evaluate, needs: base, with: { tasks: [validation-loss] } }");

        plan.Steps.Select(s => s.Name).ShouldBe(["base", "scores"], "nothing has to be made");
        plan.Steps.ShouldAllBe(s => s.Inputs.Any(i => i.As == "data" && i.Artifact == Notes && i.Step == "dataset:notes@2"));
        plan.Steps[0].Needs.ShouldBeEmpty();
        plan.Steps[0].Options.GetProperty("data").GetString().ShouldBe("input:data");
    }

    [Fact]
    public void Plan_DatasetInAWeightedList_IsMixedByItsArtifact()
    {
        var plan = Plan("base: { uses: train, with: { data: [{ from: 'dataset:notes@2', weight: 0.9 }, { from: 'corpus:x', weight: 0.1 }], tokens: 1 } }");

        var made = plan.Steps[0];
        (made.Kind, made.Name, made.IsImplicit).ShouldBe((StageKinds.Dataset, "data-notes-2-and-1-more", true));
        made.Options.GetProperty("sources")[0].GetRawText().ShouldBe($$"""{"from":"dataset:notes@2","weight":0.9,"fingerprint":"{{Notes.Root.Hex}}"}""");
    }

    [Fact]
    public void Plan_DatasetStepThatNamesOneByItself_GetsItsArtifact()
    {
        var made = Plan("d: { uses: dataset, with: { source: 'dataset:notes@2' } }").Steps[0];

        made.Options.GetProperty("fingerprint").GetString().ShouldBe(Notes.Root.Hex);
    }

    [Theory]
    [InlineData("data: 'dataset:notse@2'", "p.yaml:3:38: 'data': the registry has no dataset:notse@2; did you mean 'dataset:notes@2'?")]
    [InlineData("data: [corpus:x, 'dataset:notse@2']", "p.yaml:3:49: 'data': the registry has no dataset:notse@2; did you mean 'dataset:notes@2'?")]
    public void Plan_NameThatNobodyHas_IsRefusedWithTheNearest(string data, string expected) =>
        Should.Throw<UserInputException>(() => Plan($"base: {{ uses: train, with: {{ {data}, tokens: 1 }} }}")).Message.ShouldContain(expected);

    [Fact]
    public void Plan_WithoutARegistry_SaysThatNoneCanBeAsked() =>
        Should.Throw<UserInputException>(() => PipelinePlanner.Plan(
            "name: a\nstages: { t: { uses: train, with: { data: 'dataset:notes', tokens: 1 } } }", "p.yaml", new Dictionary<string, string>(),
            new PlanningContext { Stages = SampleStages.All })).Message.ShouldContain("registered datasets cannot be used here");

    [Fact]
    public void References_OfAFile_AreFoundWhereverTheyStand() =>
        PipelineDraft.Read(
            Yaml(
                "a: { uses: train, with: { data: 'dataset:notes@2', tokens: 1 } }",
                "b: { uses: train, with: { data: [corpus:x, 'dataset:poems'], tokens: 1 } }",
                "c: { uses: dataset, with: { source: 'dataset:songs@1' } }"),
            "p.yaml", new Dictionary<string, string>(), new PlanningContext { Stages = SampleStages.All })
            .References.ShouldBe(["dataset:notes@2", "dataset:poems", "dataset:songs@1"]);

    private static PipelinePlan Plan(params string[] stages) =>
        PipelinePlanner.Plan(Yaml(stages), "p.yaml", new Dictionary<string, string>(), new PlanningContext
        {
            Stages = SampleStages.All,
            FindRegistered = name => name == "dataset:notes@2" ? new ModelFound(Notes) : new ModelFound(null) { Nearest = ["dataset:notes@2"] },
        });

    private static string Yaml(params string[] stages) => $"name: a\nstages:\n{string.Concat(stages.Select(s => $"  {s}\n"))}";
}
