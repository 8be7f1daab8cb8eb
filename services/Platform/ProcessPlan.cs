using Espalier.Platform.Processes;

namespace Espalier.Platform;

/// <summary>Kinds of process.</summary>
internal static class ProcessKinds
{
    public const string Server = "server";
    public const string Service = "service";
    public const string Worker = "worker";
}

/// <summary>How one process is started, probed and stopped.</summary>
internal sealed record ProcessPlan
{
    /// <summary>Unique name.</summary>
    public required string Name { get; init; }

    /// <summary>One of <see cref="ProcessKinds"/>.</summary>
    public required string Kind { get; init; }

    /// <summary>Program and arguments.</summary>
    public required IReadOnlyList<string> Command { get; init; }

    /// <summary>Variables beside those of the supervisor.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Working folder; null is the platform's.</summary>
    public string? Folder { get; init; }

    /// <summary>Where readiness is probed; see <see cref="Probes"/>.</summary>
    public required string Probe { get; init; }

    /// <summary>Runs whenever it becomes ready after a start, for example to create databases; must be idempotent.</summary>
    public Func<CancellationToken, Task>? OnReady { get; init; }

    /// <summary>Asks it to shut down in order.</summary>
    public PlatformSignal StopSignal { get; init; } = PlatformSignal.Terminate;
}
