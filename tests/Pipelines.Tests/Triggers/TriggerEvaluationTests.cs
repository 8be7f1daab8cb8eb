using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Triggers;

namespace Espalier.Pipelines.Tests.Triggers;

public sealed class TriggerEvaluationTests
{
    private const string Registered = """{"model":"olmoe","version":7,"root":"ab","run":"r","body":{"tags":["nightly"],"text":"[1, 2]","ref":"${x}"}}""";

    [Fact]
    public void Evaluate_Match_FillsParametersGroupAndKey()
    {
        var verdict = Evaluate(
            "model.registered: { model: ol*, when: 'event.version > 3', params: { model: '${event.model}', n: 'v${event.version}' }, "
                + "dedupe-key: '${event.model}', concurrency: { group: 'g-${event.model}', policy: skip } }");

        verdict.Answer.ShouldBe(TriggerAnswer.Match);
        verdict.Parameters.ShouldBe(new Dictionary<string, string> { ["model"] = "olmoe", ["n"] = "v7" }, ignoreOrder: true);
        (verdict.DedupeKey, verdict.Group).ShouldBe(("olmoe", "g-olmoe"));
    }

    [Theory]
    [InlineData("model.registered: { model: mixtral-* }", "model is 'olmoe', and the trigger asks for 'mixtral-*'")]
    [InlineData("model.registered: { when: 'event.version > 30' }", "when: event.version > 30: is false")]
    public void Evaluate_OtherEvent_SaysWhyNot(string trigger, string reason)
    {
        var verdict = Evaluate(trigger);

        (verdict.Answer, verdict.Reason).ShouldBe((TriggerAnswer.NoMatch, reason));
    }

    [Fact]
    public void Evaluate_ChainAtItsLimit_IsRefusedWithTheWholeChain()
    {
        var verdict = Evaluate("model.registered: { max-depth: 2 }", "a.model.registered", "b.run.succeeded");

        verdict.Answer.ShouldBe(TriggerAnswer.Refused);
        verdict.Reason.ShouldContain("would be 3 long, and max-depth is 2: a.model.registered → b.run.succeeded → t");
    }

    [Theory]
    [InlineData("${event.body.text}", "'params.model' would be [1, 2]: a value of an event is a plain value")]
    [InlineData("${event.body.ref}", "'params.model' would be ${x}")]
    [InlineData("${event.body.tags}", "event.body.tags is a list")]
    [InlineData("${event.body.none}", "The event has no 'body.none'.")]
    public void Evaluate_ValueThatIsNone_IsRefused(string template, string reason)
    {
        var verdict = Evaluate($"webhook: {{ secret: s, params: {{ model: '{template}' }} }}");

        verdict.Answer.ShouldBe(TriggerAnswer.Refused);
        verdict.Reason.ShouldContain(reason);
    }

    [Fact]
    public void Evaluate_PathIntoABody_FindsTheValue()
    {
        Evaluate("webhook: { secret: s, params: { model: '$${x} ${event.body.tags.0}' } }").Answer.ShouldBe(TriggerAnswer.Refused);
        Evaluate("webhook: { secret: s, params: { model: '${event.body.tags.0}' } }").Parameters["model"].ShouldBe("nightly");
    }

    [Theory]
    [InlineData("model.registered: { when: 'event.modell == 1' }", "'when': model.registered has no 'event.modell': did you mean 'event.model'?")]
    [InlineData("model.registered: { when: 'event.model = 1' }", "'when': '=' compares with '=='")]
    [InlineData("model.registered: { params: { modl: x } }", "the pipeline has no parameter 'modl': did you mean 'model'?")]
    [InlineData("model.registered: { params: { model: '${event.vers}' } }", "'params.model': model.registered has no 'event.vers'")]
    [InlineData("model.registered: { params: { model: '${model}' } }", "'params.model': ${model} is not of the event: write ${event.NAME}")]
    [InlineData("model.registered: { debounce: 2d }", "'debounce' must be more than 0s and at most 1d")]
    [InlineData("schedule: { cron: '0 3 * * *', time-zone: Mars/Base }", "'time-zone' must be a zone that this machine knows")]
    [InlineData("webhook: { secret: Hunter2 }", "'secret' is a name, never the secret itself")]
    [InlineData("watch: data", "'path' must be a full path")]
    public void Plan_WrongTrigger_SaysWhatAndWhere(string trigger, string expected) =>
        Should.Throw<UserInputException>(() => Plan(trigger)).Problems.ShouldHaveSingleItem().Message.ShouldContain(expected);

    [Fact]
    public void Next_InAZone_FollowsItsClock()
    {
        var schedule = (TimedTrigger)Settings("schedule: { cron: '30 2 * * *', time-zone: Europe/Berlin }");

        schedule.Next(new DateTimeOffset(2026, 3, 28, 0, 0, 0, TimeSpan.Zero))!.Value.UtcDateTime.ShouldBe(new DateTime(2026, 3, 28, 1, 30, 0));
        // On that night the clock jumps from 2:00 to 3:00, and the run comes when it has jumped.
        schedule.Next(new DateTimeOffset(2026, 3, 28, 12, 0, 0, TimeSpan.Zero))!.Value.UtcDateTime.ShouldBe(new DateTime(2026, 3, 29, 1, 0, 0));
    }

    private static TriggerVerdict Evaluate(string trigger, params string[] chain) =>
        TriggerEvaluation.Evaluate(Settings(trigger), Fields(), chain, "t");

    private static TriggerSettings Settings(string trigger)
    {
        var planned = Plan(trigger).Triggers.Single();
        return TriggerKind.Find(planned.Event)!.Read(planned.Settings);
    }

    private static EventFields Fields() => new(JsonDocument.Parse(Registered).RootElement);

    private static PipelinePlan Plan(string trigger) => PipelinePlanner.Plan(
        $"name: a\nparams: {{ model: x, n: 1 }}\non: {{ {trigger} }}\nstages: {{ t: {{ uses: train, with: {{ data: corpus:x, tokens: 1 }} }} }}", "p.yaml",
        new Dictionary<string, string>(), new PlanningContext { Stages = SampleStages.All });
}
