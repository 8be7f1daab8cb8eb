using System.Net.Sockets;
using Azure;
using Azure.Identity;
using Espalier.Artifacts.Blobs;

namespace Espalier.Artifacts;

/// <summary>Tells failures of the store itself from those of what is in it, and says what to do about them.</summary>
public static class StoreFailure
{
    private const int LongestReason = 300;

    /// <summary>Whether the store could not be used at all: it refuses, is away, or took too long.</summary>
    public static bool Is(Exception error) => error switch
    {
        MissingBlobException or EndOfStreamException => false,
        AggregateException { InnerException: { } inner } => Is(inner),
        RequestFailedException or AuthenticationFailedException or IOException or UnauthorizedAccessException => true,
        HttpRequestException or SocketException or TimeoutException => true,
        _ => false,
    };

    /// <summary>The failure in one line, without addresses and signatures.</summary>
    public static string Describe(Exception error) => error switch
    {
        AggregateException { InnerException: { } inner } => Describe(inner),
        RequestFailedException { Status: 401 or 403 } refused =>
            $"The artifact store refuses access ({CodeOf(refused)}): its key, signature or role is not valid, or has expired. Renew it in "
                + "store:location and start the service again.",
        RequestFailedException { Status: > 0 } failed => $"The artifact store answers {CodeOf(failed)}.",
        RequestFailedException or HttpRequestException or SocketException => $"The artifact store does not answer: {FirstLine(error)}",
        AuthenticationFailedException => $"The identity of the process is not accepted for the artifact store: {FirstLine(error)}",
        TimeoutException => $"The artifact store does not answer: {FirstLine(error)}",
        UnauthorizedAccessException => $"The artifact store may not be read or written: {FirstLine(error)}",
        _ => $"The artifact store cannot be used: {FirstLine(error)}",
    };

    private static string CodeOf(RequestFailedException error) =>
        string.IsNullOrEmpty(error.ErrorCode) ? $"{error.Status}" : $"{error.Status} {error.ErrorCode}";

    private static string FirstLine(Exception error)
    {
        var line = error.Message.Split('\n')[0].Trim();
        return line.Length <= LongestReason ? line : line[..LongestReason] + "...";
    }
}
