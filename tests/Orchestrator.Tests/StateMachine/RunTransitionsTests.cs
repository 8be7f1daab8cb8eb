using Espalier.Contracts;
using Espalier.Orchestrator.StateMachine;

namespace Espalier.Orchestrator.Tests.StateMachine;

public sealed class RunTransitionsTests
{
    [Fact]
    public void Table_EveryPair_HasAnAnswer()
    {
        foreach (var happened in Enum.GetValues<RunEvent>())
        {
            RunTransitions.EventAt((int)happened).ShouldBe(happened);
            foreach (var state in Enum.GetValues<RunState>())
                Should.NotThrow(() => RunTransitions.Next(state, happened));
        }
    }

    [Fact]
    public void Next_SucceededRun_NeverChanges() =>
        Enum.GetValues<RunEvent>().ShouldAllBe(happened => RunTransitions.Next(RunState.Succeeded, happened) == null);

    [Fact]
    public void Next_EndedRun_ChangesOnlyByResume() =>
        (from state in Enum.GetValues<RunState>()
         where state.IsEnded()
         from happened in Enum.GetValues<RunEvent>()
         where happened != RunEvent.Resumed && RunTransitions.Next(state, happened) is not null
         select (state, happened)).ShouldBeEmpty();
}
