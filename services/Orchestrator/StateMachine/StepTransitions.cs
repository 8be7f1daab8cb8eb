using Espalier.Contracts;
using static Espalier.Contracts.StepState;
using static Espalier.Orchestrator.StateMachine.StepEvent;

namespace Espalier.Orchestrator.StateMachine;

/// <summary>What can happen to a step.</summary>
internal enum StepEvent
{
    /// <summary>Every need ended well, the inputs are known, the step key is computed.</summary>
    Prepared,

    /// <summary>The step key has a commit whose bytes exist.</summary>
    FoundInCache,

    /// <summary>Its <c>when</c> is false.</summary>
    ConditionFalse,

    /// <summary>A step that it needs did not end well.</summary>
    NeedFailed,

    /// <summary>Its inputs or its condition cannot be resolved.</summary>
    Rejected,

    /// <summary>No worker offers the code that the step key was computed for any more.</summary>
    Superseded,

    /// <summary>A worker took it.</summary>
    Claimed,

    /// <summary>Its result is committed.</summary>
    Finished,

    /// <summary>The attempt failed or its lease ended, and another attempt is allowed.</summary>
    AttemptFailed,

    /// <summary>The worker gave it back, on shutdown.</summary>
    Released,

    /// <summary>An input is damaged or gone, as the attempt or a repair found, and the step that made it is done again.</summary>
    InputLost,

    /// <summary>Its result is damaged or gone, and another step, a version or whoever reads the run needs it.</summary>
    ResultLost,

    /// <summary>The attempt failed, and no other is allowed.</summary>
    GaveUp,

    /// <summary>It waited or worked for too long.</summary>
    TimedOut,

    /// <summary>A cancel of the run was requested.</summary>
    CancelRequested,

    /// <summary>The worker stopped on request, or its grace is over.</summary>
    Stopped,

    /// <summary>A resume of the run was requested.</summary>
    Resumed,
}

/// <summary>
/// Every pair of state and event: the next state, or null where the event changes nothing, on purpose. A running step that
/// is asked to stop stays running until its worker has saved the cursor; the run carries the wish and its deadline.
/// </summary>
internal static class StepTransitions
{
    private const StepState None = (StepState)(-1);

    private static readonly (StepEvent Event, StepState[] Next)[] Table =
    [
        //                 from: Waiting    Ready      Running    Succeeded  Failed     Skipped    Cancelled  Cached
        (Prepared,              [Ready,     None,      None,      None,      None,      None,      None,      None]),
        (FoundInCache,          [Cached,    None,      None,      None,      None,      None,      None,      None]),
        (ConditionFalse,        [Skipped,   None,      None,      None,      None,      None,      None,      None]),
        (NeedFailed,            [Skipped,   None,      None,      None,      None,      None,      None,      None]),
        (Rejected,              [Failed,    None,      None,      None,      None,      None,      None,      None]),
        (Superseded,            [None,      Waiting,   None,      None,      None,      None,      None,      None]),
        (Claimed,               [None,      Running,   None,      None,      None,      None,      None,      None]),
        (Finished,              [None,      None,      Succeeded, None,      None,      None,      None,      None]),
        (AttemptFailed,         [None,      None,      Ready,     None,      None,      None,      None,      None]),
        (Released,              [None,      None,      Ready,     None,      None,      None,      None,      None]),
        (InputLost,             [None,      Waiting,   Waiting,   None,      None,      None,      None,      None]),
        (ResultLost,            [None,      None,      None,      Waiting,   None,      None,      None,      Waiting]),
        (GaveUp,                [None,      None,      Failed,    None,      None,      None,      None,      None]),
        (TimedOut,              [None,      Failed,    Failed,    None,      None,      None,      None,      None]),
        (CancelRequested,       [Cancelled, Cancelled, None,      None,      None,      None,      None,      None]),
        (Stopped,               [None,      None,      Cancelled, None,      None,      None,      None,      None]),
        (Resumed,               [None,      None,      None,      None,      Waiting,   Waiting,   Waiting,   None]),
    ];

    /// <summary>The next state, or null when the event changes nothing.</summary>
    public static StepState? Next(StepState state, StepEvent happened)
    {
        var next = Table[(int)happened].Next[(int)state];
        return next == None ? null : next;
    }

    /// <summary>The row of an event, in the order of the table; for the tests of its shape.</summary>
    internal static StepEvent EventAt(int row) => Table[row].Event;

    /// <summary>Whether a step in this state has ended; only a resume of its run opens it again, or the loss of its result.</summary>
    public static bool IsEnded(this StepState state) => state is Succeeded or Failed or Skipped or Cancelled or Cached;

    /// <summary>Whether steps that need this one may go on.</summary>
    public static bool EndedWell(this StepState state) => state is Succeeded or Cached;
}
