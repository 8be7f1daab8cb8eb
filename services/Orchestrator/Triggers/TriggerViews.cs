using System.Text.Json;
using Espalier.Orchestrator.Ledger;

namespace Espalier.Orchestrator.Triggers;

/// <summary>A registered pipeline as the API and the command line show it.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Version">Its newest version, from 1.</param>
/// <param name="Owner">Who added that version; its triggers run in this name.</param>
/// <param name="Created">When that was.</param>
/// <param name="Triggers">What starts it.</param>
public sealed record PipelineView(string Name, int Version, string Owner, DateTimeOffset Created, IReadOnlyList<TriggerView> Triggers)
{
    /// <summary>Name of the file; left out in lists.</summary>
    public string? FileName { get; init; }

    /// <summary>Text of the file; left out in lists.</summary>
    public string? Pipeline { get; init; }

    /// <summary>Every version, newest first; left out in lists.</summary>
    public IReadOnlyList<PipelineVersionView>? Versions { get; init; }

    /// <summary>What its author may not expect; only in the answer to an addition.</summary>
    public IReadOnlyList<string>? Warnings { get; init; }
}

/// <summary>A version of a registered pipeline.</summary>
public sealed record PipelineVersionView(int Version, string Owner, DateTimeOffset Created);

/// <summary>A trigger as the API and the command line show it.</summary>
/// <param name="Name">Its name: that of the pipeline, a dot, the event, and its own name after a further dot when it has one.</param>
/// <param name="Pipeline">What it starts.</param>
/// <param name="Kind">The event.</param>
/// <param name="Enabled">Whether it is switched on.</param>
/// <param name="Paused">Why it has paused itself; empty when it has not.</param>
/// <param name="Failures">Failed runs in a row.</param>
/// <param name="Next">When its schedule comes next; null without one.</param>
/// <param name="Settings">Its filters and limits.</param>
public sealed record TriggerView(
    string Name, string Pipeline, string Kind, bool Enabled, string Paused, int Failures, DateTimeOffset? Next, JsonElement Settings)
{
    /// <summary>In whose name its runs are started.</summary>
    public string? Owner { get; init; }

    /// <summary>Why it starts nothing although it is on: its owner may not start runs any more. Empty otherwise.</summary>
    public string Stopped { get; init; } = "";

    /// <summary>Why the place that it watches cannot be looked at, or not as a whole. Empty otherwise, and while it is off or paused.</summary>
    public string Trouble { get; init; } = "";

    /// <summary>Since when that is so.</summary>
    public DateTimeOffset? TroubleSince { get; init; }

    /// <summary>What it made of the last events; left out in lists.</summary>
    public IReadOnlyList<FiringView>? Firings { get; init; }
}

/// <summary>What a trigger made of an event.</summary>
/// <param name="Trigger">The trigger.</param>
/// <param name="Event">Number of the event.</param>
/// <param name="State">What became of it.</param>
/// <param name="Reason">Why no run was started, or not yet; empty when one was.</param>
/// <param name="Parameters">Parameters of the run.</param>
/// <param name="Run">The run.</param>
/// <param name="At">When it was decided, or last changed.</param>
public sealed record FiringView(
    string Trigger, long Event, FiringState State, string Reason, IReadOnlyDictionary<string, string> Parameters, Guid? Run, DateTimeOffset At)
{
    /// <summary>What people call the run (<see cref="RunView.Label"/>); null when there is none.</summary>
    public string? Label { get; init; }

    /// <summary>Which run of its concurrency group its own waits for; null when it waits for none.</summary>
    public StepWait? Wait { get; init; }
}

/// <summary>An event, and what triggers made of it.</summary>
/// <param name="Id">Number, in the order in which events were written.</param>
/// <param name="Kind">What happened.</param>
/// <param name="At">When it was written.</param>
/// <param name="Fields">What it says.</param>
/// <param name="Chain">Triggers that led to it, oldest first.</param>
/// <param name="Firings">What triggers made of it.</param>
public sealed record TriggerEventView(
    long Id, string Kind, DateTimeOffset At, JsonElement Fields, IReadOnlyList<string> Chain, IReadOnlyList<FiringView> Firings)
{
    /// <summary>What people call the run that it tells of (<see cref="RunView.Label"/>); null when it tells of none.</summary>
    public string? Label { get; init; }
}
