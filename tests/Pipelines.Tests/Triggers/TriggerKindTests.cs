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
            "alias.moved", "cron", "dataset.added", "gate.decided", "model.registered", "run.cancelled", "run.failed", "run.succeeded", "schedule",
            "watch", "webhook",
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
        events["alias.moved"]!["anyOf"]![0]!["properties"]!["alias"]!["default"]!.GetValue<string>().ShouldBe("*");
    }

    [Fact]
    public void Generate_Event_TakesAListOfTriggersToo()
    {
        var events = PipelineJsonSchema.Generate(SampleStages.All)["properties"]!["on"]!["properties"]!;

        var list = events["schedule"]!["anyOf"]![2]!;
        list["type"]!.GetValue<string>().ShouldBe("array");
        list["items"]!["anyOf"]![0]!["type"]!.GetValue<string>().ShouldBe("string");
        list["items"]!["anyOf"]![1]!["properties"]!["name"]!["type"]!.AsArray().Select(t => t!.GetValue<string>()).ShouldContain("string");
    }

    [Fact]
    public void Plan_ListOfAnEvent_IsATriggerForEach() =>
        Plan("schedule: ['0 3 * * *', { name: noon, cron: '0 12 * * *' }], alias.moved: [{ model: demo }]").Triggers.Select(t => (t.Event, t.Name, t.Label))
            .ShouldBe([("schedule", null, "schedule"), ("schedule", "noon", "schedule.noon"), ("alias.moved", null, "alias.moved")]);

    [Theory]
    [InlineData("schedule: ['0 3 * * *', '0 4 * * *']", "p.yaml:2:31: only one trigger of 'schedule' may be without a name: ")]
    [InlineData("alias.moved: [{ name: a }, { name: b }, { name: a }]", "p.yaml:2:47: there are two triggers 'a' of 'alias.moved': each has a name of its own")]
    [InlineData("alias.moved: { name: A.b }", "p.yaml:2:22: a trigger's name must be lower-case letters, digits and single hyphens")]
    [InlineData("alias.moved: []", "p.yaml:2:7: 'alias.moved' is a list of 0 triggers: write 1 to 100 of them, or leave it out")]
    [InlineData("alias.moved: [{ name: a, modle: x }]", "p.yaml:2:32: unknown option 'modle': did you mean 'model'?")]
    [InlineData("watch: { pattern: '*' }", "p.yaml:2:14: a watch names either 'path', the full path of a folder, or 'blobs'")]
    [InlineData("watch: { path: /data, blobs: incoming }", "p.yaml:2:16: a watch names either 'path', the full path of a folder, or 'blobs'")]
    [InlineData("watch: { blobs: 'https://account/x' }", "p.yaml:2:16: 'blobs' must begin with the name of a place that an administrator has set")]
    public void Plan_WrongTriggers_AreReportedWithTheirPlace(string on, string expected) =>
        Should.Throw<UserInputException>(() => Plan(on)).Problems.ShouldHaveSingleItem().ToString().ShouldStartWith(expected);

    private static PipelinePlan Plan(string trigger) => PipelinePlanner.Plan(
        $"name: a\non: {{ {trigger} }}\nstages: {{ t: {{ uses: train, with: {{ data: corpus:x, tokens: 1 }} }} }}", "p.yaml", new Dictionary<string, string>(),
        new PlanningContext { Stages = SampleStages.All, Triggers = Kinds });
}
