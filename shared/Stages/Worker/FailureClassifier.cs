using System.Net.Sockets;
using Espalier.Contracts;
using Espalier.Modeling;
using MassTransit;

namespace Espalier.Stages.Worker;

/// <summary>The work process died without an answer.</summary>
public sealed class StageCrashedException(string message) : Exception(message);

/// <summary>Decides what kind of failure an exception is. A cancellation that is not ours is a failure like any other.</summary>
public static class FailureClassifier
{
    private const int NoSpaceLeft = 28;
    private const int DiskFull = 0x70;

    /// <summary>The class of a failed attempt.</summary>
    public static FailureClass Classify(Exception error) => error switch
    {
        UserInputException or InvalidModelException => FailureClass.User,
        OutOfMemoryException => FailureClass.Resource,
        IOException io when (io.HResult & 0xFFFF) is NoSpaceLeft or DiskFull => FailureClass.Resource,
        _ when IsNativeOutOfMemory(error) => FailureClass.Resource,
        IOException or HttpRequestException or SocketException or TimeoutException or RequestException or OperationCanceledException => FailureClass.Transient,
        _ when error.GetType().FullName == "Azure.RequestFailedException" => FailureClass.Transient,
        AggregateException { InnerException: { } inner } => Classify(inner),
        _ => FailureClass.Poison,
    };

    /// <summary>What people read: the message, and the type where it says more than the message.</summary>
    public static string Describe(Exception error) =>
        error is UserInputException or InvalidModelException or StageCrashedException ? error.Message : $"{error.GetType().Name}: {error.Message}";

    /// <summary>The tensor library reports it as text.</summary>
    private static bool IsNativeOutOfMemory(Exception error) =>
        error.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase)
        || error.Message.Contains("not enough memory", StringComparison.OrdinalIgnoreCase)
        || error.Message.Contains("can't allocate memory", StringComparison.OrdinalIgnoreCase);
}
