using System.Text.Json;

namespace Espalier.Contracts;

/// <summary>Why a step failed, which decides what happens next.</summary>
public enum FailureClass
{
    /// <summary>Broker, storage or network trouble: tried again with backoff.</summary>
    Transient,

    /// <summary>Out of memory or disk: tried again with less.</summary>
    Resource,

    /// <summary>The work process crashed: parked after the second time.</summary>
    Poison,

    /// <summary>The input is wrong: never tried again; the message says what to change.</summary>
    User,
}

/// <summary>What a heartbeat tells the worker to do.</summary>
public enum LeaseVerdict
{
    /// <summary>The lease was renewed.</summary>
    Continue,

    /// <summary>Save the cursor and stop.</summary>
    Cancel,

    /// <summary>Another attempt owns the step: stop at once and publish nothing.</summary>
    LeaseLost,
}

/// <summary>A hint that a step of this kind can be claimed. Losing it or receiving it twice changes nothing.</summary>
public sealed record StepReady
{
    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

    /// <summary>Device class the step asks for: <c>cpu</c> or <c>cuda</c>.</summary>
    public required string Device { get; init; }
}

/// <summary>Request: give this worker the next step it can run. Answered by <see cref="StepAssignment"/> or <see cref="NoStep"/>.</summary>
public sealed record ClaimStep
{
    /// <summary>Unique name of the worker process.</summary>
    public required string Worker { get; init; }

    /// <summary>Stage kinds the worker runs.</summary>
    public required IReadOnlyList<string> Kinds { get; init; }

    /// <summary>Device classes on which the worker has a free slot.</summary>
    public required IReadOnlyList<string> Devices { get; init; }

    /// <summary>Every device class that the worker has; empty from workers that have one and say it by the members around this one.</summary>
    public IReadOnlyList<DeviceClass> Classes { get; init; } = [];

    /// <summary>Memory the worker may use, in bytes; 0 when unknown, and when it differs by device class.</summary>
    public long MemoryBytes { get; init; }

    /// <summary>Steps that the worker runs at once on all its devices; 0 when it does not say, and then it is trusted.</summary>
    public int Slots { get; init; }

    /// <summary>The code that the worker has for each kind: it gets only steps whose key was computed for that code.</summary>
    public IReadOnlyList<StageOffer> Offers { get; init; } = [];

    /// <summary>The attempts that the worker is busy with. Another one in its name is one whose assignment it never got: it gets it again.</summary>
    public IReadOnlyList<HeldAttempt> Holding { get; init; } = [];

    /// <summary>
    /// The worker can compute with another number of threads than it offers: it takes steps whose numerics class differs from its own in that
    /// only, when those it was computed for have not taken them.
    /// </summary>
    public bool ChoosesThreads { get; init; }
}

/// <summary>An attempt that a worker is busy with.</summary>
public sealed record HeldAttempt(Guid RunId, string Step, int Fence);

/// <summary>Which code computes a stage kind.</summary>
/// <param name="Kind">Stage kind.</param>
/// <param name="Version">Digest of the code.</param>
/// <param name="NumericsClass">Library, device and kernels that results depend on.</param>
public sealed record StageOffer(string Kind, string Version, string NumericsClass)
{
    /// <summary>Device class that it computes on; null from workers that have one only.</summary>
    public string? Device { get; init; }
}

/// <summary>Answer to a claim: nothing to do.</summary>
public sealed record NoStep
{
    /// <summary>The orchestrator does not know everything that the worker offers: it should advertise it again, now.</summary>
    public bool WantsOffers { get; init; }
}

/// <summary>Answer to a claim: one step, one attempt, one fence.</summary>
public sealed record StepAssignment
{
    /// <summary>Which step.</summary>
    public required StepAddress Step { get; init; }

    /// <summary>Stage kind.</summary>
    public required string Kind { get; init; }

    /// <summary>Attempt number, from 1; also the fencing number of its lease.</summary>
    public required int Fence { get; init; }

    /// <summary>How long the lease lasts without a heartbeat.</summary>
    public required TimeSpan Lease { get; init; }

    /// <summary>Options, valid against the stage's schema, units resolved, defaults filled in.</summary>
    public required JsonElement Options { get; init; }

    /// <summary>Artifacts the step reads.</summary>
    public required IReadOnlyList<StepInput> Inputs { get; init; }

    /// <summary>Device class: <c>cpu</c> or <c>cuda</c>.</summary>
    public required string Device { get; init; }

    /// <summary>When there are many inputs: the blob that lists them as JSON; <see cref="Inputs"/> is empty then.</summary>
    public Digest? InputsBlob { get; init; }

    /// <summary>Into how many parts to split what is held in memory at once; doubles with every attempt that ran out of memory.</summary>
    public int MemoryDivisor { get; init; } = 1;

    /// <summary>The numerics class that the step's key was computed for; null from orchestrators that are too old to say it.</summary>
    public string? NumericsClass { get; init; }

    /// <summary>The span that assigned the step, as a W3C trace parent; null when no traces are collected.</summary>
    public string? Trace { get; init; }
}

/// <summary>Request: the worker is alive and this far. Answered by <see cref="HeartbeatAnswer"/>.</summary>
public sealed record StepHeartbeat
{
    /// <summary>Which step.</summary>
    public required StepAddress Step { get; init; }

    /// <summary>The attempt's fencing number.</summary>
    public required int Fence { get; init; }

    /// <summary>Worker that holds the lease.</summary>
    public required string Worker { get; init; }

    /// <summary>Units done.</summary>
    public long Done { get; init; }

    /// <summary>Units in all; 0 when unknown.</summary>
    public long Total { get; init; }

    /// <summary>Units per second.</summary>
    public double Rate { get; init; }
}

/// <summary>Answer to a heartbeat.</summary>
public sealed record HeartbeatAnswer
{
    /// <summary>What to do.</summary>
    public required LeaseVerdict Verdict { get; init; }
}

/// <summary>Event, at most twice a second per step: how far a step is and its newest metrics.</summary>
public sealed record StepProgress
{
    /// <summary>How a line of <see cref="Log"/> begins that is a note on the step's result.</summary>
    public const string NotePrefix = "Note: ";

    /// <summary>Which step.</summary>
    public required StepAddress Step { get; init; }

    /// <summary>The attempt's fencing number.</summary>
    public required int Fence { get; init; }

    /// <summary>What the worker does now, as it is shown: <c>training</c>, <c>layer 3 of 8</c>.</summary>
    public string Phase { get; init; } = "";

    /// <summary>Units done.</summary>
    public long Done { get; init; }

    /// <summary>Units in all; 0 when unknown.</summary>
    public long Total { get; init; }

    /// <summary>Name of the unit: <c>tokens</c>, <c>layers</c>.</summary>
    public string Unit { get; init; } = "";

    /// <summary>Newest values of metrics by name.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Lines that the stage wrote since the last progress, oldest first.</summary>
    public IReadOnlyList<string> Log { get; init; } = [];

    /// <summary>
    /// Newest load of each expert by layer, in percent of a fair share; null when the step routes nothing or has too many
    /// experts for a message.
    /// </summary>
    public IReadOnlyList<IReadOnlyList<int>>? ExpertLoad { get; init; }
}

/// <summary>A step's result is committed. Sent as a request so that the worker knows that it was heard.</summary>
public sealed record StepFinished
{
    /// <summary>Which step.</summary>
    public required StepAddress Step { get; init; }

    /// <summary>The attempt's fencing number.</summary>
    public required int Fence { get; init; }

    /// <summary>Worker that did it.</summary>
    public required string Worker { get; init; }

    /// <summary>Artifacts by output name.</summary>
    public required IReadOnlyDictionary<string, ManifestRef> Outputs { get; init; }

    /// <summary>Numbers that <c>when:</c> expressions and gates can read.</summary>
    public required IReadOnlyDictionary<string, double> Metrics { get; init; }

    /// <summary>What whoever uses the outputs must know, in sentences.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Outputs, metrics and notes are too many for a message: they are read from the step's commit, and are empty here.</summary>
    public bool IsInCommit { get; init; }

    /// <summary>Wall time of the attempt.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Highest resident memory seen during the attempt, in bytes; 0 when unknown.</summary>
    public long PeakMemoryBytes { get; init; }
}

/// <summary>An attempt ended without a result.</summary>
public sealed record StepFailed
{
    /// <summary>Which step.</summary>
    public required StepAddress Step { get; init; }

    /// <summary>The attempt's fencing number.</summary>
    public required int Fence { get; init; }

    /// <summary>Worker that tried.</summary>
    public required string Worker { get; init; }

    /// <summary>What kind of failure; <c>null</c> when the attempt was cancelled or released on purpose.</summary>
    public FailureClass? Failure { get; init; }

    /// <summary>What went wrong and what to do, as it is shown.</summary>
    public required string Message { get; init; }

    /// <summary>The blob that was damaged or gone when the attempt read it; the step that made it is done again. Null for other failures.</summary>
    public Digest? LostBlob { get; init; }

    /// <summary>
    /// What is around the attempt failed, and not the attempt: its store could not be used, or its disk was full. The step is tried again until
    /// that is over, and the attempt is none of those that the pipeline allows.
    /// </summary>
    public bool IsOutage { get; init; }
}

/// <summary>Answer to <see cref="StepFinished"/> and <see cref="StepFailed"/>.</summary>
/// <param name="Accepted">False when the fence is old: the report changed nothing.</param>
public sealed record StepReportAnswer(bool Accepted);
