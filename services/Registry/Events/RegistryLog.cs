namespace Espalier.Registry.Events;

/// <summary>Log messages of the registry.</summary>
internal static partial class RegistryLog
{
    [LoggerMessage(2, LogLevel.Warning, "Webhook {Webhook} did not take event {Event}: {Reason}")]
    public static partial void DeliveryFailed(ILogger logger, string webhook, long @event, string reason);
}
