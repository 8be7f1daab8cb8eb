using Espalier.Platform.Processes;

namespace Espalier.Platform;

/// <summary>What kind of process.</summary>
internal static class ProcessKinds
{
    public const string Server = "server";
    public const string Service = "service";
    public const string Worker = "worker";
}

/// <summary>How one process is started, asked and stopped.</summary>
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

    /// <summary>Where readiness is asked for.</summary>
    public required string Probe { get; init; }

    /// <summary>What is done every time it has become ready after a start, such as making accounts; must bear repetition.</summary>
    public Func<CancellationToken, Task>? OnReady { get; init; }

    /// <summary>Asks it to end in an orderly way.</summary>
    public PlatformSignal StopSignal { get; init; } = PlatformSignal.Terminate;
}
