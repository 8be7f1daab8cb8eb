using Espalier.Contracts;
using Espalier.Pipelines.Expressions;

namespace Espalier.Pipelines.Tests.Expressions;

public sealed class EventFilterTests
{
    private static readonly Dictionary<string, object> Event = new()
    {
        ["model"] = "olmoe", ["alias"] = "candidate", ["version"] = 7d, ["allowed"] = true, ["body.ref"] = "x\" == \"x",
    };

    [Theory]
    [InlineData("event.model == \"olmoe\" and event.alias == \"candidate\"", true)]
    [InlineData("event.model == 'mixtral' or event.version >= 7", true)]
    [InlineData("event.model != \"olmoe\"", false)]
    [InlineData("event.version * 2 - 1 == 13", true)]
    [InlineData("event.allowed", true)]
    [InlineData("not event.allowed", false)]
    [InlineData("event.allowed == false", false)]
    [InlineData("matches(event.model, \"ol*e\")", true)]
    [InlineData("matches(event.alias, 'stable*')", false)]
    [InlineData("event.body.ref == 'x'", false)]
    public void IsMet_OverAnEvent_ComparesValues(string text, bool expected) =>
        EventFilter.Parse(text).IsMet(Event.GetValueOrDefault).ShouldBe(expected);

    [Theory]
    [InlineData("event.model = 'x'", 13, "'=' compares with '=='")]
    [InlineData("event.model == 'x", 16, "the text that begins with ' here does not end")]
    [InlineData("model == 'x'", 1, "'model' is not of the event: write event.NAME")]
    [InlineData("event.model == olmoe", 16, "'olmoe' is not of the event")]
    [InlineData("event.version < 'x'", 17, "'<' takes numbers, and this is text")]
    [InlineData("'x'", 1, "a condition compares something")]
    [InlineData("matches(event.model, event.alias)", 1, "'matches' takes what the event says and a text in quotes")]
    public void Parse_BadText_NamesColumn(string text, int column, string expected)
    {
        var problem = Should.Throw<ExpressionException>(() => EventFilter.Parse(text));

        problem.Message.ShouldContain(expected);
        problem.Column.ShouldBe(column);
    }

    [Theory]
    [InlineData("event.nothing == 1", "the event has no 'nothing'")]
    [InlineData("event.version == 'x'", "it compares the number 7 with the text \"x\"")]
    [InlineData("event.model > 1", "the text \"olmoe\" is not a number")]
    [InlineData("event.model and true", "the text \"olmoe\" is neither true nor false")]
    public void IsMet_EventUnfit_SaysSo(string text, string expected) =>
        Should.Throw<UserInputException>(() => EventFilter.Parse(text).IsMet(Event.GetValueOrDefault)).Message.ShouldContain(expected);

    [Fact]
    public void Condition_OfAStep_TakesNoText() =>
        Should.Throw<ExpressionException>(() => Condition.Parse("base.loss == \"x\"")).Message.ShouldContain("metrics are numbers");

    [Theory]
    [InlineData("*", "", true)]
    [InlineData("a*b*c", "axxbyyc", true)]
    [InlineData("a*b*c", "axxbyy", false)]
    [InlineData("demo", "demo2", false)]
    public void Glob_Star_StandsForAnyText(string pattern, string text, bool expected) => Glob.IsMatch(pattern, text).ShouldBe(expected);
}
