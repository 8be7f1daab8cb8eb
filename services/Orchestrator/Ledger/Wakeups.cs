using Espalier.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>The loops of the orchestrator that can be woken.</summary>
internal sealed class Wakeups
{
    /// <summary>Messages may be due.</summary>
    public Wakeup Outbox { get; } = new();

    /// <summary>Steps may have become preparable.</summary>
    public Wakeup Scheduler { get; } = new();

    /// <summary>Events may have happened, or runs ended that others wait for.</summary>
    public Wakeup Triggers { get; } = new();

    /// <summary>A transaction changed steps.</summary>
    public void AfterChange()
    {
        Outbox.Set();
        Scheduler.Set();
        Triggers.Set();
    }
}
