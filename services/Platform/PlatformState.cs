using Espalier.Platform.Processes;

namespace Espalier.Platform;

/// <summary>What the supervisor runs, as it records it for other commands.</summary>
public sealed record PlatformState
{
    /// <summary>The supervisor's process.</summary>
    public required ProcessIdentity Supervisor { get; init; }

    /// <summary>Whether everything was ready once.</summary>
    public bool IsReady { get; init; }

    /// <summary>Why the start failed.</summary>
    public string? Failure { get; init; }

    /// <summary>Address of the orchestrator.</summary>
    public required string Orchestrator { get; init; }

    /// <summary>Address of the registry.</summary>
    public required string Registry { get; init; }

    /// <summary>The administrator's key.</summary>
    public required string Key { get; init; }

    /// <summary>Where blobs are kept, as the setting <c>store:location</c> has it; empty when an older version wrote this.</summary>
    public string StoreLocation { get; init; } = "";

    /// <summary>Where the registry keeps names, as the setting <c>registry:database</c> has it; empty when an older version wrote this.</summary>
    public string RegistryDatabase { get; init; } = "";

    /// <summary>Connection of the ledger on PostgreSQL; empty when it is on another database, or when an older version wrote this.</summary>
    public string LedgerDatabase { get; init; } = "";

    /// <summary>Every process that was started.</summary>
    public IReadOnlyList<ProcessState> Processes { get; init; } = [];
}

/// <summary>The state of one process.</summary>
public sealed record ProcessState
{
    /// <summary>Unique name, such as <c>upcycler-1</c>.</summary>
    public required string Name { get; init; }

    /// <summary><c>server</c>, <c>service</c> or <c>worker</c>.</summary>
    public required string Kind { get; init; }

    /// <summary>The running process; null while it waits to be started again.</summary>
    public ProcessIdentity? Process { get; init; }

    /// <summary>Where readiness is probed: <c>http://…/readyz</c> or <c>tcp://host:port</c>.</summary>
    public required string Probe { get; init; }

    /// <summary>How often it was started again.</summary>
    public int Restarts { get; init; }

    /// <summary>File with its output.</summary>
    public required string Log { get; init; }
}
