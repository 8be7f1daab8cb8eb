using System.Globalization;
using System.Net.Sockets;
using System.Text.RegularExpressions;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using MassTransit;

namespace Espalier.Stages.Worker;

/// <summary>The work process died without an answer.</summary>
public sealed class StageCrashedException(string message) : Exception(message);

/// <summary>The stage failed in its work process, which has said how.</summary>
public sealed class StageFailedException(FailureClass failure, string message, Digest? lostBlob = null, bool isOutage = false) : Exception(message)
{
    /// <summary>Whether it is known that what is around the stage failed; see <see cref="FailureClassifier.IsOutage"/>.</summary>
    public bool IsOutage { get; } = isOutage;

    /// <summary>What kind of failure.</summary>
    public FailureClass Failure { get; } = failure;

    /// <summary>The blob that was damaged or gone.</summary>
    public Digest? LostBlob { get; } = lostBlob;
}

/// <summary>Decides what kind of failure an exception is. A cancellation that is not ours is a failure like any other.</summary>
public static partial class FailureClassifier
{
    private const int NoSpaceLeft = 28;
    private const int QuotaExceeded = 122;
    private const int DiskFull = 0x70;

    /// <summary>The class of a failed attempt.</summary>
    public static FailureClass Classify(Exception error) => error switch
    {
        StageFailedException failed => failed.Failure,
        // Trying again reads the same bytes; the message says what has to be done again.
        UserInputException or DamagedBlobException or InvalidDataException { InnerException: DamagedBlobException } => FailureClass.User,
        _ when IsOutOfMemory(error) => FailureClass.Resource,
        // A store that cannot be written now may be later: somebody mounted it read-only, or mends its permissions.
        AggregateException { InnerException: { } inner } => Classify(inner),
        IOException or RequestException or OperationCanceledException or System.Data.Common.DbException => FailureClass.Transient,
        _ when StoreFailure.Is(error) => FailureClass.Transient,
        _ => FailureClass.Poison,
    };

    /// <summary>
    /// Whether what is around the stage failed beyond doubt: a disk is full. That is nothing that smaller parts would mend, and not the
    /// stage's own failure. Of other failures of a store only the store itself can tell.
    /// </summary>
    public static bool IsOutage(Exception error) => error is StageFailedException failed ? failed.IsOutage : IsDiskFull(error);

    /// <summary>The blob that was damaged or gone, if that is the reason; null for other failures.</summary>
    public static Digest? FindLostBlob(Exception error) => error switch
    {
        StageFailedException failed => failed.LostBlob,
        MissingBlobException missing => missing.Blob,
        { InnerException: { } inner } => FindLostBlob(inner),
        _ => null,
    };

    /// <summary>What people read: the message, and the type where it says more than the message.</summary>
    public static string Describe(Exception error) => error switch
    {
        UserInputException or StageCrashedException or StageFailedException => error.Message,
        Azure.RequestFailedException or Azure.Identity.AuthenticationFailedException => StoreFailure.Describe(error),
        _ when IsDiskFull(error) => $"A disk is full: {error.Message}",
        _ when IsOutOfMemory(error) => OutOfMemory(error),
        AggregateException { InnerException: { } inner } => Describe(inner),
        _ => $"{error.GetType().Name}: {error.Message}",
    };

    private static bool IsDiskFull(Exception? error) => error switch
    {
        null => false,
        IOException when (error.HResult & 0xFFFF) is NoSpaceLeft or DiskFull or QuotaExceeded => true,
        _ => IsDiskFull(error.InnerException),
    };

    /// <summary>Whether memory ran out; the tensor library reports it as text.</summary>
    public static bool IsOutOfMemory(Exception error) =>
        error is OutOfMemoryException
        || error.Message.Contains("out of memory", StringComparison.OrdinalIgnoreCase)
        || error.Message.Contains("not enough memory", StringComparison.OrdinalIgnoreCase)
        || error.Message.Contains("can't allocate memory", StringComparison.OrdinalIgnoreCase);

    /// <summary>What an allocator means: how much was missing at once, and what to do.</summary>
    private static string OutOfMemory(Exception error)
    {
        var where = error.Message.Contains("cuda", StringComparison.OrdinalIgnoreCase) ? "The memory of the GPU" : "Memory";
        var asked = AskedFor().Match(error.Message) is { Success: true } match
            ? $" when {SizeOf(match)} more were asked for" : "";
        return $"{where} ran out{asked}. Use a smaller 'batch' or 'length', a smaller model, or a machine with more memory; "
            + "espalier plan says how much a step needs.";
    }

    private static string SizeOf(Match match) => match.Groups["unit"].Value is "" or "bytes"
        ? string.Create(CultureInfo.InvariantCulture, $"{double.Parse(match.Groups["size"].Value, CultureInfo.InvariantCulture) / (1L << 30):0.0} GiB")
        : $"{match.Groups["size"].Value} {match.Groups["unit"].Value}";

    // "you tried to allocate 27676647424 bytes" on the CPU, "Tried to allocate 2.00 GiB" on a GPU.
    [GeneratedRegex(@"tried to allocate (?<size>\d+(?:\.\d+)?)\s*(?<unit>bytes|[KMGT]iB)?", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant)]
    private static partial Regex AskedFor();
}
