using Espalier.Contracts;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Schemas;
using Espalier.Pipelines.Triggers;

namespace Espalier.Pipelines.Tests.Triggers;

public sealed class TriggerKindTests
{
    private static readonly IReadOnlyList<TriggerKind> Kinds = [.. TriggerKind.BuiltIn, .. TriggerKind.In(typeof(TriggerKindTests).Assembly)];

    [Fact]
    public void BuiltIn_AreFoundInTheAssembly() =>
        TriggerKind.BuiltIn.Select(k => k.Event).ShouldBe(
        [
            "alias.moved", "cron", "dataset.added", "gate.decided", "model.registered", "run.failed", "run.succeeded", "schedule", "watch", "webhook",
        ]);

    [Theory]
    [InlineData("{ branch: main, commits: 3 }", """{"branch":"main","commits":3,"params":{},"priority":0,"max-depth":8,"pause-after":5}""")]
    [InlineData("release-*", """{"branch":"release-*","commits":1,"params":{},"priority":0,"max-depth":8,"pause-after":5}""")]
    public void Plan_KindOfAnotherAssembly_IsRead(string settings, string expected) =>
        Plan($"branch.pushed: {settings}").Triggers.ShouldHaveSingleItem().Settings.GetRawText().ShouldBe(expected);

    [Theory]
    [InlineData("branch.pushed: { branch: main, comits: 3 }", "p.yaml:2:38: unknown option 'comits': did you mean 'commits'?")]
    [InlineData("branch.pushed: { branch: main, commits: 0 }", "p.yaml:2:47: 'commits' must be between 1 and 100; found 0")]
    [InlineData("branch.pushed: { branch: 'a b' }", "p.yaml:2:24: a branch has no spaces")]
    [InlineData("branch.pushed: {}", "p.yaml:2:22: 'branch' is missing: Branch that must match; * stands for any text.")]
    [InlineData("branch.push: {}", "p.yaml:2:7: unknown event 'branch.push': did you mean 'branch.pushed'?")]
    public void Plan_WrongSettings_AreReportedWithTheirPlace(string trigger, string expected) =>
        Should.Throw<UserInputException>(() => Plan(trigger)).Problems.Select(p => p.ToString()).ShouldHaveSingleItem().ShouldBe(expected);

    [Theory]
    [InlineData("*/15 0-6 * * MON-FRI")]
    [InlineData("0 3 1,15 * *")]
    public void Plan_Schedule_IsTaken(string schedule) =>
        Plan($"cron: '{schedule}'").Triggers.ShouldHaveSingleItem().Settings.GetProperty("schedule").GetString().ShouldBe(schedule);

    [Theory]
    [InlineData("61 * * * *")]
    [InlineData("0 3 * 13 *")]
    [InlineData("0 3 * * x")]
    [InlineData("0 9-3/99 * * *")]
    public void Plan_ScheduleThatIsNotOne_IsRefused(string schedule) =>
        Should.Throw<UserInputException>(() => Plan($"cron: '{schedule}'")).Problems.ShouldHaveSingleItem().ToString()
            .ShouldStartWith($"p.yaml:2:13: the schedule '{schedule}' cannot be read: ");

    [Fact]
    public void Generate_KindOfAnotherAssembly_IsInTheJsonSchema()
    {
        var events = PipelineJsonSchema.Generate(SampleStages.All, Kinds)["properties"]!["on"]!["properties"]!;

        var pushed = events["branch.pushed"]!;
        pushed["description"]!.GetValue<string>().ShouldBe("Commits arrive on a branch.");
        pushed["anyOf"]![0]!["type"]!.GetValue<string>().ShouldBe("string");
        pushed["anyOf"]![1]!["properties"]!["commits"]!["description"]!.GetValue<string>().ShouldBe("Smallest number of commits.");
        pushed["anyOf"]![1]!["required"]!.AsArray().Count.ShouldBe(1);
        events["alias.moved"]!["properties"]!["alias"]!["default"]!.GetValue<string>().ShouldBe("*");
    }

    private static PipelinePlan Plan(string trigger) => PipelinePlanner.Plan(
        $"name: a\non: {{ {trigger} }}\nstages: {{ t: {{ uses: train, with: {{ data: corpus:x, tokens: 1 }} }} }}", "p.yaml", new Dictionary<string, string>(),
        new PlanningContext { Stages = SampleStages.All, Triggers = Kinds });
}
