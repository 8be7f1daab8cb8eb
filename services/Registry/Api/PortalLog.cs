namespace Espalier.Registry.Api;

/// <summary>Log messages of the portal.</summary>
internal static partial class PortalLog
{
    [LoggerMessage(31, LogLevel.Warning, "The web portal is not built: {Folder} is missing")]
    public static partial void NotBuilt(ILogger logger, string folder);

    [LoggerMessage(32, LogLevel.Warning, "Nobody can sign in by the identity provider {Issuer}")]
    public static partial void ProviderFailed(ILogger logger, string issuer, Exception exception);
}
