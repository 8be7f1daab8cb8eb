using Espalier.Contracts;

namespace Espalier.Cli.Verification;

/// <summary>What a comparison of ledger, registry and store can find.</summary>
internal enum RepairKind
{
    /// <summary>The record of a step in the store is damaged, or names what the store does not have.</summary>
    RecordUnusable,

    /// <summary>A step of a run under way ended well, and its result is not in the store: it has to be done again.</summary>
    ResultLost,

    /// <summary>The bytes of a registered version are not all in the store.</summary>
    VersionIncomplete,

    /// <summary>A version that was flagged as incomplete has all its bytes again.</summary>
    VersionWhole,

    /// <summary>A step that nothing needs any more ended well, and its result is not in the store: collected, or lost.</summary>
    ResultGone,

    /// <summary>The ledger believes that a step runs, and its lease is over.</summary>
    LeaseOver,

    /// <summary>The ledger has a registration that the registry does not have: deleted since, or lost.</summary>
    RegistrationUnknown,

    /// <summary>The store has the result of a step that the ledger has not heard of; whatever needs it finds it.</summary>
    ResultUnknown,
}

/// <summary>One thing that is not as ledger, registry and store together say.</summary>
internal sealed record RepairFinding
{
    /// <summary>What it is.</summary>
    public required RepairKind Kind { get; init; }

    /// <summary>Whether something is missing that has to be made again.</summary>
    public bool IsMissing => Kind is RepairKind.RecordUnusable or RepairKind.ResultLost or RepairKind.VersionIncomplete;

    /// <summary>What was found.</summary>
    public required string Detail { get; init; }

    /// <summary>The run; null when nobody knows it.</summary>
    public Guid? Run { get; init; }

    /// <summary>The step of that run.</summary>
    public string? Step { get; init; }

    /// <summary>The step's kind.</summary>
    public string? Stage { get; init; }

    /// <summary>The step's key.</summary>
    public Digest? Key { get; init; }

    /// <summary>The model.</summary>
    public string? Model { get; init; }

    /// <summary>Its version.</summary>
    public int? Version { get; init; }

    /// <summary>Aliases that point at the version.</summary>
    public IReadOnlyList<string>? Aliases { get; init; }

    /// <summary>What is done about it, or would be in a dry run; null when nothing has to be done.</summary>
    public string? Action { get; init; }

    /// <summary>Whether that was done.</summary>
    public bool IsDone { get; init; }

    /// <summary>The command that makes again what is missing; null when it is made again without one.</summary>
    public string? Command { get; init; }
}

/// <summary>What <c>espalier repair</c> found and did.</summary>
/// <param name="Ok">Whether nothing is missing.</param>
/// <param name="IsDryRun">Whether nothing was changed.</param>
/// <param name="Store">The store, without keys and signatures.</param>
/// <param name="Blobs">Blobs of the store.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Records">Step records of the store that were looked at.</param>
/// <param name="Results">Results of the ledger that were looked at.</param>
/// <param name="Versions">Versions of the registry that were looked at.</param>
/// <param name="Counts">How many findings of each kind there are.</param>
/// <param name="Findings">At most <see cref="StoreRepair.MostOfAKind"/> of each kind.</param>
internal sealed record RepairOutcome(
    bool Ok, bool IsDryRun, string Store, int Blobs, long Bytes, int Records, int Results, int Versions,
    IReadOnlyDictionary<string, int> Counts, IReadOnlyList<RepairFinding> Findings);
