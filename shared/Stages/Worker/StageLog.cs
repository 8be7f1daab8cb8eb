using Microsoft.Extensions.Logging;

namespace Espalier.Stages.Worker;

/// <summary>Log messages of the worker.</summary>
internal static partial class StageLog
{
    [LoggerMessage(101, LogLevel.Information, "Worker {Worker} offers {Kinds} on {Device}")]
    public static partial void WorkerStarted(ILogger logger, string worker, string kinds, string device);

    [LoggerMessage(102, LogLevel.Information, "Step {Step} of run {RunId}: attempt {Attempt} starts")]
    public static partial void AttemptStarted(ILogger logger, Guid runId, string step, int attempt);

    [LoggerMessage(103, LogLevel.Warning, "Step {Step} of run {RunId}: attempt {Attempt} failed")]
    public static partial void AttemptFailed(ILogger logger, Guid runId, string step, int attempt, Exception error);

    [LoggerMessage(104, LogLevel.Warning, "Step {Step} of run {RunId}: attempt {Attempt} lost its lease; its result is not published")]
    public static partial void ResultFenced(ILogger logger, Guid runId, string step, int attempt);

    [LoggerMessage(105, LogLevel.Error, "Step {Step} of run {RunId} does not stop within {Grace}")]
    public static partial void StageIgnoresStop(ILogger logger, Guid runId, string step, TimeSpan grace);

    [LoggerMessage(106, LogLevel.Warning, "The {Request} got no answer: {Reason}")]
    public static partial void RequestFailed(ILogger logger, string request, string reason);

    [LoggerMessage(108, LogLevel.Error, "Work hints of a kind are not heard, and the worker asks for work now and then instead: {Problem}")]
    public static partial void QueueUnusable(ILogger logger, string problem);

    [LoggerMessage(109, LogLevel.Warning, "Worker {Worker} only pretends to have '{Device}': its steps compute on the CPU. That is for tests")]
    public static partial void DeviceIsPretended(ILogger logger, string worker, string device);

    [LoggerMessage(107, LogLevel.Error, "The worker failed and goes on")]
    public static partial void WorkerFailed(ILogger logger, Exception error);
}
