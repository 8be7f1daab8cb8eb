using System.Text.Json;
using Espalier.Contracts;
using Espalier.Orchestrator.Triggers;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Tests.Triggers;

public sealed class SelfTriggersTests
{
    [Theory]
    [InlineData("model.registered", """{"model":"*"}""", "step 'release' registers model 'demo'")]
    [InlineData("model.registered", """{"model":"de*"}""", "step 'release' registers model 'demo'")]
    [InlineData("alias.moved", """{"alias":"candidate"}""", "step 'release' moves the alias demo@candidate")]
    [InlineData("gate.decided", "{}", "step 'release' asks the gate of demo@candidate")]
    public void Check_StepMakesTheEvent_RefusesAndNamesTheLoop(string kind, string settings, string expected)
    {
        var refusal = Should.Throw<UserInputException>(() => SelfTriggers.Check(Plan(kind, settings), "p.yaml", out _));

        refusal.Message.ShouldContain($"on: {kind}: the pipeline would start itself without end: {expected}");
    }

    [Theory]
    [InlineData("model.registered", """{"model":"olmoe"}""")]
    [InlineData("alias.moved", """{"alias":"stable"}""")]
    [InlineData("dataset.added", "{}")]
    public void Check_OtherEvents_AreTaken(string kind, string settings)
    {
        SelfTriggers.Check(Plan(kind, settings), "p.yaml", out var warnings);

        warnings.ShouldBeEmpty();
    }

    private static PipelinePlan Plan(string kind, string settings) => new()
    {
        Name = "p",
        Triggers = [new PlannedTrigger(kind, JsonSerializer.Deserialize<JsonElement>(settings))],
        Steps =
        [
            new PlannedStep
            {
                Name = "release", Kind = StageKinds.Register, Inputs = [], Needs = [],
                Options = JsonSerializer.SerializeToElement(new { name = "demo", alias = "candidate" }),
            },
        ],
    };
}
