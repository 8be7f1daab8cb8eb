using System.CommandLine;
using System.CommandLine.Parsing;
using System.Data.Common;
using System.Runtime.InteropServices;
using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Platform;
using Espalier.Stages.Worker;
using Espalier.Tokenizers;
using Microsoft.Data.Sqlite;

namespace Espalier.Cli;

/// <summary>Which errors are of the input, for exit code 2, and what they mean to the user.</summary>
internal static class Refusals
{
    private const int ReadOnly = 8, DiskError = 10, Damaged = 11, Full = 13, CannotOpen = 14, NotADatabase = 26; // SQLite's codes

    // errno of paths that cannot be used: not permitted, none there, exists, not a folder, a folder, read-only, too long, loop.
    private static readonly int[] OfPaths = [1, 2, 13, 17, 20, 21, 30, 36, 40];

    /// <summary>Texts that nothing can be called.</summary>
    public static IReadOnlyList<Problem> Empty(ParseResult parsed) =>
    [
        .. from symbol in parsed.CommandResult.Children
            from token in symbol.Tokens
            where string.IsNullOrWhiteSpace(token.Value) && NameOf(symbol) is not "--reason"
            select new Problem("command line", 0, 0, $"{NameOf(symbol)} is empty."),
    ];

    /// <summary>What is wrong with the input; null when it is not the input that failed.</summary>
    public static IReadOnlyList<Problem>? Find(Exception exception) => exception switch
    {
        UserInputException refused => refused.Problems,
        InvalidModelException or InvalidTokenizerException => [new Problem("model", 0, 0, exception.Message)],
        MissingBlobException => null,
        UnauthorizedAccessException or DirectoryNotFoundException or FileNotFoundException or PathTooLongException => [OfPath(exception)],
        IOException when OfPaths.Contains(exception.HResult) => [OfPath(exception)],
        SqliteException { SqliteErrorCode: ReadOnly or CannotOpen } => [OfHome(exception, "cannot be written")],
        SqliteException { SqliteErrorCode: Damaged or NotADatabase } => [OfHome(exception, "is damaged or is not a database of ours")],
        _ => null,
    };

    /// <summary>What to say of a failure that is not the input's.</summary>
    public static string Explain(Exception exception) => exception switch
    {
        SqliteException { SqliteErrorCode: Full } => $"The disk of {EspalierHome.OfThisProcess().Path} is full. Free some space there, and try again.",
        SqliteException { SqliteErrorCode: DiskError } => $"{EspalierHome.OfThisProcess().DatabaseFile} cannot be written: {exception.Message}",
        Azure.RequestFailedException or AggregateException { InnerException: Azure.RequestFailedException } => StoreFailure.Describe(exception),
        DbException => $"The database refuses: {exception.Message}",
        _ when FailureClassifier.IsOutOfMemory(exception) => FailureClassifier.Describe(exception),
        // LibTorch appends its stack. Kinds that are derived from this one are the system's.
        ExternalException when exception.GetType() == typeof(ExternalException) =>
            $"The tensor engine failed: {exception.Message.Split('\n')[0].TrimEnd()}",
        _ => exception.Message,
    };

    private static Problem OfPath(Exception exception) => new("input", 0, 0, exception.Message);

    private static Problem OfHome(Exception exception, string what)
    {
        var home = EspalierHome.OfThisProcess();
        return new Problem(
            "input", 0, 0, $"{home.DatabaseFile} {what} ({exception.Message}). Repair it, or set ESPALIER_HOME to a folder that can be written.");
    }

    private static string NameOf(SymbolResult symbol) => symbol switch
    {
        OptionResult option => option.Option.Name,
        ArgumentResult argument => argument.Argument.Name,
        _ => "an argument",
    };
}
