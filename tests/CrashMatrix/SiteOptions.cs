namespace Espalier.CrashMatrix;

/// <summary>Where a process runs.</summary>
/// <param name="Prefix">Command that its command follows, such as one that enters a namespace.</param>
/// <param name="Environment">Its environment, beside that of the tests.</param>
internal sealed record Surroundings(IReadOnlyList<string> Prefix, IReadOnlyDictionary<string, string> Environment)
{
    /// <summary>Those of the tests.</summary>
    public static readonly Surroundings Usual = new([], new Dictionary<string, string>());
}

/// <summary>How a site differs from the one of the matrix.</summary>
internal sealed record SiteOptions
{
    /// <summary>Whether leases, heartbeats and pauses are those of production.</summary>
    public bool HasDefaultTimes { get; init; }

    /// <summary>Whether services read the store's location from a file, in which it can be renewed.</summary>
    public bool HasLocationFile { get; init; }

    /// <summary>Where services run; given the site's folder, before any of them starts.</summary>
    public Func<string, Task<Surroundings>> Around { get; init; } = _ => Task.FromResult(Surroundings.Usual);
}
