using Espalier.Contracts;
using Espalier.Database;

namespace Espalier.Orchestrator.Ledger;

/// <summary>A run as the API and the command line show it.</summary>
public sealed record RunView(
    Guid RunId, string Name, string FileName, RunState State, string Message, bool IsCancelling,
    DateTimeOffset Created, DateTimeOffset? Started, DateTimeOffset? Ended, IReadOnlyList<StepView> Steps)
{
    /// <summary>Which run of that name it is, from 1; 0 where an older orchestrator wrote it.</summary>
    public long Ordinal { get; init; }

    /// <summary>What people call it: <c>tiny#12</c>; its id where it has no number.</summary>
    public string Label => LabelOf(Name, Ordinal, RunId);

    internal static string LabelOf(string name, long ordinal, Guid runId) => ordinal > 0 ? $"{name}#{ordinal}" : runId.ToString("N");

    /// <summary>Number of steps by state; in lists, where the steps themselves are left out.</summary>
    public IReadOnlyDictionary<string, int>? Counts { get; init; }

    /// <summary>The registered pipeline that it is a run of; null for a run of a file.</summary>
    public string? Pipeline { get; init; }

    /// <summary>Version of the registered pipeline.</summary>
    public int? PipelineVersion { get; init; }

    /// <summary>In whose name it runs; null when nobody said.</summary>
    public string? Owner { get; init; }

    /// <summary>What for, in the words of whoever submitted it; null when nobody said.</summary>
    public string? Reason { get; init; }

    /// <summary>What started it; null when somebody did.</summary>
    public RunCause? Cause { get; init; }

    /// <summary>Since when it is archived; null while it is not.</summary>
    public DateTimeOffset? Archived { get; init; }
}

/// <summary>A step as the API and the command line show it.</summary>
public sealed record StepView(
    string Name, string Kind, StepState State, int Attempts, string? Worker, Digest? Key, FailureClass? Failure, string Message,
    long Done, long Total, DateTimeOffset? Started, DateTimeOffset? Ended, bool IsImplicit, IReadOnlyList<string> Needs,
    IReadOnlyDictionary<string, ManifestRef> Outputs, IReadOnlyDictionary<string, double> Metrics)
{
    /// <summary>What whoever uses its outputs must know, such as what other loaders cannot run.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>Why it does not run yet; null once it runs or has ended.</summary>
    public StepWait? Wait { get; init; }
}

/// <summary>One line of a run's log.</summary>
public sealed record RunEventView(long Id, DateTimeOffset At, string Type, string Step, string Body);

/// <summary>Reads runs. Works beside everything else and sees a committed state.</summary>
public interface IRunReader
{
    /// <summary>Why the ledger cannot be written, such as a full disk; null when it can.</summary>
    DatabaseTrouble? Trouble { get; }

    /// <summary>A run with its steps in planned order, or null.</summary>
    Task<RunView?> FindAsync(Guid runId, CancellationToken cancellationToken);

    /// <summary>The file and the parameters of a run, or null.</summary>
    Task<RunSource?> FindSourceAsync(Guid runId, CancellationToken cancellationToken);

    /// <summary>A run's state, for whoever asks again and again; null for an unknown run.</summary>
    Task<RunState?> FindStateAsync(Guid runId, CancellationToken cancellationToken);

    /// <summary>Runs, newest first, without steps.</summary>
    /// <exception cref="UserInputException">The run that the list begins behind does not exist.</exception>
    Task<IReadOnlyList<RunView>> ListAsync(RunQuery query, CancellationToken cancellationToken);

    /// <summary>Lines of a run's log after the given one, oldest first.</summary>
    Task<IReadOnlyList<RunEventView>> ReadLogAsync(Guid runId, long after, int limit, CancellationToken cancellationToken);
}

/// <summary>Shorter ways to read runs.</summary>
public static class RunReaderExtensions
{
    /// <summary>The newest runs, without steps.</summary>
    public static Task<IReadOnlyList<RunView>> ListAsync(this IRunReader runs, int limit, CancellationToken cancellationToken) =>
        runs.ListAsync(new RunQuery { Limit = limit }, cancellationToken);
}
