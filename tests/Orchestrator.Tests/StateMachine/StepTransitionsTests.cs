using CsCheck;
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
    public void Next_EndedStep_ChangesOnlyByResumeAndByTheLossOfItsResult()
    {
        var changes = from state in Enum.GetValues<StepState>()
                      where state.IsEnded()
                      from happened in Enum.GetValues<StepEvent>()
                      where happened is not (StepEvent.Resumed or StepEvent.ResultLost) && StepTransitions.Next(state, happened) is not null
                      select (state, happened);

        changes.ShouldBeEmpty();
    }

    [Fact]
    public void Next_StepThatEndedWell_ChangesOnlyByTheLossOfItsResult()
    {
        foreach (var happened in Enum.GetValues<StepEvent>().Except([StepEvent.ResultLost]))
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

    [Fact]
    public void Next_RandomOrdersWithDuplicates_OnlyAClaimStartsAndOnlyAStartFinishes() =>
        Gen.Select(Gen.Enum<StepEvent>(), Gen.Int[1, 2]).Array[1, 60].Sample(walk =>
        {
            var state = StepState.Waiting;
            foreach (var happened in walk.SelectMany(item => Enumerable.Repeat(item.Item1, item.Item2)))
            {
                var next = StepTransitions.Next(state, happened) ?? state;
                if (next == StepState.Running && state != StepState.Running)
                    (state, happened).ShouldBe((StepState.Ready, StepEvent.Claimed));
                if (next == StepState.Succeeded && state != StepState.Succeeded)
                    (state, happened).ShouldBe((StepState.Running, StepEvent.Finished));
                state = next;
            }
        }, iter: 3000);
}
