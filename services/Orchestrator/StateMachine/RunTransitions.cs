using Espalier.Contracts;
using static Espalier.Contracts.RunState;
using static Espalier.Orchestrator.StateMachine.RunEvent;

namespace Espalier.Orchestrator.StateMachine;

/// <summary>What can happen to a run.</summary>
internal enum RunEvent
{
    /// <summary>A step was claimed or found in the cache.</summary>
    Started,

    /// <summary>The last step ended, and every step ended well or was skipped by its condition.</summary>
    AllEndedWell,

    /// <summary>The last step ended, and one failed.</summary>
    EndedWithFailure,

    /// <summary>The last step ended, and one was cancelled.</summary>
    EndedByCancel,

    /// <summary>A resume was requested.</summary>
    Resumed,
}

/// <summary>Every pair of run state and event: the next state, or null where the event changes nothing, on purpose.</summary>
internal static class RunTransitions
{
    private const RunState None = (RunState)(-1);

    private static readonly (RunEvent Event, RunState[] Next)[] Table =
    [
        //                 from: Queued     Running    Succeeded  Failed     Cancelled
        (Started,               [Running,   None,      None,      None,      None]),
        (AllEndedWell,          [Succeeded, Succeeded, None,      None,      None]),
        (EndedWithFailure,      [Failed,    Failed,    None,      None,      None]),
        (EndedByCancel,         [Cancelled, Cancelled, None,      None,      None]),
        (Resumed,               [None,      None,      None,      Queued,    Queued]),
    ];

    /// <summary>The next state, or null when the event changes nothing.</summary>
    public static RunState? Next(RunState state, RunEvent happened)
    {
        var next = Table[(int)happened].Next[(int)state];
        return next == None ? null : next;
    }

    /// <summary>The row of an event, in the order of the table; for the tests of its shape.</summary>
    internal static RunEvent EventAt(int row) => Table[row].Event;

    /// <summary>Whether the run has ended; only a resume opens it again.</summary>
    public static bool IsEnded(this RunState state) => state is Succeeded or Failed or Cancelled;
}
