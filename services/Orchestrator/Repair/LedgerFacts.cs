using Espalier.Contracts;

namespace Espalier.Orchestrator.Repair;

/// <summary>A run, as far as a repair must know it.</summary>
/// <param name="RunId">Its id.</param>
/// <param name="Name">Name of its pipeline.</param>
/// <param name="FileName">The file that it was started from.</param>
/// <param name="State">Its state.</param>
/// <param name="Parameters">Values of its parameters.</param>
/// <param name="Pipeline">The registered pipeline that it is a run of; null for a run of a file.</param>
public sealed record LedgerRun(
    Guid RunId, string Name, string FileName, RunState State, IReadOnlyDictionary<string, string> Parameters, string? Pipeline)
{
    /// <summary>Whether it is under way, so that what is put back is done again without anybody's help.</summary>
    public bool IsOpen => State is RunState.Queued or RunState.Running;
}

/// <summary>A step that ended well.</summary>
/// <param name="Run">Its run.</param>
/// <param name="Step">Its name.</param>
/// <param name="Kind">Its kind.</param>
/// <param name="Key">Its key.</param>
/// <param name="Outputs">What it made; for an effect, what it was about.</param>
/// <param name="IsEffect">Whether it made nothing of its own, as a registration.</param>
public sealed record LedgerResult(
    LedgerRun Run, string Step, string Kind, Digest? Key, IReadOnlyDictionary<string, ManifestRef> Outputs, bool IsEffect);

/// <summary>A step that the ledger believes to be running, although its lease is over.</summary>
/// <param name="RunId">Its run.</param>
/// <param name="RunName">Name of the run's pipeline.</param>
/// <param name="Step">Its name.</param>
/// <param name="Kind">Its kind.</param>
/// <param name="Worker">Who had it.</param>
/// <param name="Attempt">Number of the attempt.</param>
/// <param name="Until">When the lease ended.</param>
public sealed record LostLease(Guid RunId, string RunName, string Step, string Kind, string Worker, int Attempt, DateTimeOffset Until);
