namespace Espalier.Contracts;

/// <summary>State of a run.</summary>
public enum RunState
{
    /// <summary>Accepted, nothing started.</summary>
    Queued,

    /// <summary>At least one step started.</summary>
    Running,

    /// <summary>Every step ended well.</summary>
    Succeeded,

    /// <summary>A step failed for good.</summary>
    Failed,

    /// <summary>Stopped on request.</summary>
    Cancelled,
}

/// <summary>State of a step.</summary>
public enum StepState
{
    /// <summary>Needs steps that have not ended.</summary>
    Waiting,

    /// <summary>Can be claimed.</summary>
    Ready,

    /// <summary>A worker holds its lease.</summary>
    Running,

    /// <summary>Its result is committed.</summary>
    Succeeded,

    /// <summary>Given up.</summary>
    Failed,

    /// <summary>Its condition was false, or a step it needs did not succeed.</summary>
    Skipped,

    /// <summary>Stopped on request.</summary>
    Cancelled,

    /// <summary>An earlier run had committed the same step key.</summary>
    Cached,
}

/// <summary>Request: start a run. Answered by <see cref="RunAccepted"/> or <see cref="RunRejected"/>. Sending it twice starts one run.</summary>
public sealed record SubmitRun
{
    /// <summary>Chosen by the client, so that a repeat is recognised.</summary>
    public required Guid RunId { get; init; }

    /// <summary>The pipeline file's text; empty when <see cref="PipelineBlob"/> names it.</summary>
    public required string Pipeline { get; init; }

    /// <summary>A long file travels by the artifact store: the digest of its UTF-8 text.</summary>
    public Digest? PipelineBlob { get; init; }

    /// <summary>Name of the file, for messages.</summary>
    public string FileName { get; init; } = "pipeline.yaml";

    /// <summary>Values that replace the file's <c>params</c>.</summary>
    public IReadOnlyDictionary<string, string> Parameters { get; init; } = new Dictionary<string, string>();

    /// <summary>Who submits it; empty when nobody says.</summary>
    public string SubmittedBy { get; init; } = "";

    /// <summary>What for, for people; empty when nobody says.</summary>
    public string Reason { get; init; } = "";
}

/// <summary>The run exists.</summary>
public sealed record RunAccepted(Guid RunId, string Name)
{
    /// <summary>What people call the run, such as <c>tiny#12</c>; null where an older orchestrator answers.</summary>
    public string? Label { get; init; }

    /// <summary>Something about the file that its author may not expect; null when there is nothing.</summary>
    public string? Note { get; init; }
}

/// <summary>The pipeline cannot run; every problem is listed.</summary>
public sealed record RunRejected(IReadOnlyList<Problem> Problems);

/// <summary>One thing that is wrong in a user's file or request.</summary>
/// <param name="Place">File name, or the part of the request.</param>
/// <param name="Line">Line from 1; 0 when there is none.</param>
/// <param name="Column">Column from 1; 0 when there is none.</param>
/// <param name="Message">What was expected, what was found, and what to do.</param>
public sealed record Problem(string Place, int Line, int Column, string Message)
{
    /// <summary><c>file:line:column: message</c>.</summary>
    public override string ToString() => Line > 0 ? $"{Place}:{Line}:{Column}: {Message}" : $"{Place}: {Message}";
}

/// <summary>Request: stop a run. Answered by <see cref="RunStateChanged"/>.</summary>
public sealed record CancelRun(Guid RunId, string Reason);

/// <summary>Request: make failed and cancelled steps of a run ready again. Answered by <see cref="RunStateChanged"/>.</summary>
public sealed record ResumeRun(Guid RunId);

/// <summary>Event: a run changed its state.</summary>
public sealed record RunStateChanged(Guid RunId, string Name, RunState State, string Message = "");

/// <summary>Event: a step changed its state.</summary>
public sealed record StepStateChanged(Guid RunId, string Step, StepState State, int Attempt, string Message = "");
