namespace Espalier.CrashMatrix;

/// <summary>Where the artifacts of a point lie.</summary>
internal enum StoreKind
{
    /// <summary>Files: for everything about durable bytes.</summary>
    Files,

    /// <summary>Azurite behind a proxy: for a store that is away or slow. It forgets acknowledged blobs when it is killed, so it never is.</summary>
    Azurite,
}

/// <summary>What happens to the platform.</summary>
internal enum Disruption
{
    /// <summary>A fault inside a process, at a named boundary.</summary>
    Fault,

    /// <summary>SIGKILL of a service.</summary>
    KillService,

    /// <summary>SIGKILL of a service's work process.</summary>
    KillWork,

    /// <summary>SIGTERM of a service, as an operator does.</summary>
    TerminateService,

    /// <summary>A service frozen for longer than its lease, then woken.</summary>
    FreezeService,

    /// <summary>The broker killed and started again.</summary>
    RestartBroker,

    /// <summary>The database killed and started again.</summary>
    RestartDatabase,

    /// <summary>The store away for a while.</summary>
    StoreAway,

    /// <summary>The store answers nothing for a while, connections stay open.</summary>
    StoreSilent,

    /// <summary>The store slow for the whole run.</summary>
    StoreSlow,
}

/// <summary>One row of the matrix.</summary>
/// <param name="Number">From 1.</param>
/// <param name="Store">Where artifacts lie.</param>
/// <param name="Disruption">What happens.</param>
/// <param name="Target">To which service; for servers, which.</param>
/// <param name="Fault">For <see cref="CrashMatrix.Disruption.Fault"/>: <c>ROLE@POINT:N:ACTION</c>.</param>
/// <param name="After">For the others: when, after the run was submitted.</param>
internal sealed record CrashPoint(int Number, StoreKind Store, Disruption Disruption, string Target, string Fault, TimeSpan After)
{
    /// <summary>The description in the report.</summary>
    public string What => Disruption == Disruption.Fault ? Fault : $"{Disruption} {Target} after {After.TotalMilliseconds:0} ms";
}

/// <summary>How a point went.</summary>
internal sealed record PointOutcome(CrashPoint Point, bool Struck, TimeSpan Duration, int ExtraAttempts, int ExtraUnits, IReadOnlyList<string> Complaints)
{
    /// <summary>Whether every promise held.</summary>
    public bool IsGood => Complaints.Count == 0;
}
