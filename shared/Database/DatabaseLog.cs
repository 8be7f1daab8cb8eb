using Microsoft.Extensions.Logging;

namespace Espalier.Database;

/// <summary>Log messages of loops over databases.</summary>
internal static partial class DatabaseLog
{
    [LoggerMessage(1, LogLevel.Error, "{Loop} fails and is tried again until it works; until then this is not repeated: {Reason}")]
    public static partial void LoopFailed(ILogger logger, string loop, string reason, Exception error);

    [LoggerMessage(2, LogLevel.Information, "{Loop} works again")]
    public static partial void LoopRecovered(ILogger logger, string loop);

    [LoggerMessage(3, LogLevel.Warning, "Message {Id} ({Type}) waits in the outbox and is sent again later: {Reason}")]
    public static partial void MessageWaits(ILogger logger, string type, long id, string reason, Exception error);
}
