using System.Net.Sockets;
using Azure;
using Azure.Identity;
using Espalier.Artifacts.Blobs;

namespace Espalier.Artifacts;

/// <summary>Tells failures of the store itself from those of what is in it, and says what to do about them.</summary>
public static class StoreFailure
{
    private const int LongestReason = 300;
    private const string StoreLocation = $"{StoreOptions.Section}:location";

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
    /// <param name="error">The failure.</param>
    /// <param name="store">What to call the store.</param>
    /// <param name="setting">The setting that says where it is.</param>
    public static string Describe(Exception error, string store = "The artifact store", string setting = StoreLocation) => error switch
    {
        AggregateException { InnerException: { } inner } => Describe(inner, store, setting),
        RequestFailedException { Status: 401 or 403 } refused =>
            $"{store} refuses access ({CodeOf(refused)}): its key, signature or role is not valid, or has expired (or this machine's clock "
                + $"is wrong). {RenewalOf(setting)}",
        RequestFailedException { Status: > 0 } failed => $"{store} answers {CodeOf(failed)}.",
        RequestFailedException or HttpRequestException or SocketException => $"{store} does not answer: {FirstLine(error)}",
        AuthenticationFailedException => $"{store} does not accept the identity of the process: {FirstLine(error)}",
        TimeoutException => $"{store} does not answer: {FirstLine(error)}",
        UnauthorizedAccessException => $"{store} may not be read or written: {FirstLine(error)}",
        _ => $"{store} cannot be used: {FirstLine(error)}",
    };

    private static string RenewalOf(string setting) => setting == StoreLocation
        ? $"Renew it in the file of {setting}-file, which is read again at once; or in {setting}, and start the service again."
        : $"Renew it in {setting} and start the service again.";

    private static string CodeOf(RequestFailedException error) =>
        string.IsNullOrEmpty(error.ErrorCode) ? $"{error.Status}" : $"{error.Status} {error.ErrorCode}";

    private static string FirstLine(Exception error)
    {
        var line = error.Message.Split('\n')[0].Trim();
        return line.Length <= LongestReason ? line : line[..LongestReason] + "...";
    }
}
