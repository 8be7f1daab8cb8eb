using Espalier.Contracts;
using Espalier.Stages.Worker;
using Espalier.Stages.Worker.Isolation;

namespace Espalier.Stages.Tests;

public sealed class WorkProcessEndTests
{
    [Theory]
    [InlineData(139, false, FailureClass.Poison)]
    [InlineData(134, true, FailureClass.Poison)]
    [InlineData(1, false, FailureClass.Poison)]
    [InlineData(137, true, FailureClass.Resource)]
    [InlineData(137, false, FailureClass.Transient)]
    [InlineData(143, false, FailureClass.Transient)]
    public void Describe_ExitCode_DecidesTheClass(int code, bool wasMemoryKill, FailureClass expected) =>
        FailureClassifier.Classify(WorkProcessEnd.Describe(code, wasMemoryKill, [])).ShouldBe(expected);

    [Fact]
    public void Describe_Crash_ShowsTheLastLines()
    {
        var lines = Enumerable.Range(0, 200).Select(i => $"line {i}").ToList();

        var message = WorkProcessEnd.Describe(139, false, lines).Message;

        message.ShouldStartWith("The work process crashed: signal 11, segmentation fault. Its last lines:");
        message.ShouldContain("line 199");
        message.ShouldNotContain("line 20");
    }
}
