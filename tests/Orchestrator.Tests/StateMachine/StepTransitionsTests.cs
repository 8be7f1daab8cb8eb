using Espalier.Contracts;
using Espalier.Orchestrator.StateMachine;

namespace Espalier.Orchestrator.Tests.StateMachine;

public sealed class StepTransitionsTests
{
    [Fact]
    public void Table_EveryPair_HasAnAnswer()
    {
        foreach (var happened in Enum.GetValues<StepEvent>())
        {
            StepTransitions.EventAt((int)happened).ShouldBe(happened);
            foreach (var state in Enum.GetValues<StepState>())
                Should.NotThrow(() => StepTransitions.Next(state, happened));
        }
    }

    [Fact]
    public void Next_EndedStep_ChangesOnlyByResume()
    {
        var changes = from state in Enum.GetValues<StepState>()
                      where state.IsEnded()
                      from happened in Enum.GetValues<StepEvent>()
                      where happened != StepEvent.Resumed && StepTransitions.Next(state, happened) is not null
                      select (state, happened);

        changes.ShouldBeEmpty();
    }

    [Fact]
    public void Next_StepThatEndedWell_NeverChanges()
    {
        foreach (var happened in Enum.GetValues<StepEvent>())
        {
            StepTransitions.Next(StepState.Succeeded, happened).ShouldBeNull();
            StepTransitions.Next(StepState.Cached, happened).ShouldBeNull();
        }
    }

    [Fact]
    public void Next_EveryState_IsReachableFromWaiting()
    {
        var reached = new HashSet<StepState> { StepState.Waiting };
        while (true)
        {
            var more = (from state in reached from happened in Enum.GetValues<StepEvent>() select StepTransitions.Next(state, happened))
                .OfType<StepState>().Except(reached).ToList();
            if (more.Count == 0)
                break;
            reached.UnionWith(more);
        }

        reached.ShouldBe(Enum.GetValues<StepState>(), ignoreOrder: true);
    }

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Next_RandomOrdersWithDuplicates_OnlyAClaimStartsAndOnlyAStartFinishes(int seed)
    {
        var random = new Random(seed);
        var events = Enum.GetValues<StepEvent>();
        for (var walk = 0; walk < 500; walk++)
        {
            var state = StepState.Waiting;
            for (var i = 0; i < 60; i++)
            {
                var happened = events[random.Next(events.Length)];
                for (var times = random.Next(1, 3); times > 0; times--)
                {
                    var next = StepTransitions.Next(state, happened) ?? state;
                    if (next == StepState.Running && state != StepState.Running)
                        (state, happened).ShouldBe((StepState.Ready, StepEvent.Claimed));
                    if (next == StepState.Succeeded && state != StepState.Succeeded)
                        (state, happened).ShouldBe((StepState.Running, StepEvent.Finished));
                    state = next;
                }
            }
        }
    }
}
