namespace Espalier.Orchestrator;

/// <summary>Log messages of the orchestrator.</summary>
internal static partial class OrchestratorLog
{
    [LoggerMessage(1, LogLevel.Error, "{Loop} failed and goes on")]
    public static partial void LoopFailed(ILogger logger, string loop, Exception error);

    [LoggerMessage(7, LogLevel.Error, "Step {Step} of run {RunId} cannot be swept and is passed over")]
    public static partial void StepNotSwept(ILogger logger, string runId, string step, Exception error);

    [LoggerMessage(8, LogLevel.Error, "Step {Step} of run {RunId} waits, and the others go on: {Reason}")]
    public static partial void StepHeld(ILogger logger, string runId, string step, string reason, Exception? error);

    [LoggerMessage(9, LogLevel.Error, "Step {Step} of run {RunId} cannot be handed to a worker; the attempt ends as failed")]
    public static partial void StepNotAssigned(ILogger logger, string runId, string step, Exception error);

    [LoggerMessage(10, LogLevel.Warning, "Queue {Queue} exists with other settings and is used as it is: {Difference}")]
    public static partial void QueueKept(ILogger logger, string queue, string difference);

    [LoggerMessage(2, LogLevel.Information, "Run {RunId} '{Name}' accepted with {Steps} steps")]
    public static partial void RunAccepted(ILogger logger, Guid runId, string name, int steps);

    [LoggerMessage(3, LogLevel.Information, "Step {Step} of run {RunId}: attempt {Attempt} goes to {Worker}")]
    public static partial void StepClaimed(ILogger logger, Guid runId, string step, int attempt, string? worker);

    [LoggerMessage(4, LogLevel.Warning, "Step {Step} of run {RunId}: attempt {Attempt} ended as {Failure}: {Reason}")]
    public static partial void AttemptFailed(ILogger logger, Guid runId, string step, int attempt, string failure, string reason);

    [LoggerMessage(11, LogLevel.Information, "Run {RunId} '{Name}' is started by trigger {Trigger} on event {Event}")]
    public static partial void RunTriggered(ILogger logger, Guid runId, string name, string trigger, long @event);

    [LoggerMessage(12, LogLevel.Error, "Trigger {Trigger} cannot start a run for event {Event} now and tries again")]
    public static partial void FiringHeld(ILogger logger, string trigger, long @event, Exception error);

    [LoggerMessage(13, LogLevel.Warning, "The folder of trigger {Trigger} cannot be watched: {Reason}")]
    public static partial void PlaceNotWatched(ILogger logger, string trigger, string reason);

    [LoggerMessage(14, LogLevel.Error, "The schedule of trigger {Trigger} cannot be followed, and the others go on: {Reason}")]
    public static partial void ScheduleNotRead(ILogger logger, string trigger, string reason);

    [LoggerMessage(15, LogLevel.Warning, "{Target} was not notified of run {RunId} at attempt {Attempt}: {Reason}")]
    public static partial void NoticeNotSent(ILogger logger, string target, string runId, int attempt, string reason);

    [LoggerMessage(30, LogLevel.Error, "Run {RunId} cannot be archived; it stays where it is, and the others go on")]
    public static partial void RunNotArchived(ILogger logger, string runId, Exception error);

    [LoggerMessage(31, LogLevel.Warning, "Run {RunId} was not estimated: its page shows what it takes, and not what was expected")]
    public static partial void RunNotEstimated(ILogger logger, Guid runId, Exception error);

    [LoggerMessage(6, LogLevel.Information, "The administrator's API key is in {Path}")]
    public static partial void KeyWritten(ILogger logger, string path);

    [LoggerMessage(5, LogLevel.Information, "Stage {Kind} is offered on {Device} by {Worker}, version {Version}")]
    public static partial void StageOffered(ILogger logger, string kind, string device, string worker, string version);
}
