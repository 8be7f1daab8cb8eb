using Espalier.Contracts;

namespace Espalier.Orchestrator;

/// <summary>Where the ledger lives.</summary>
public enum LedgerProvider
{
    /// <summary>One file, write-ahead log; for one machine.</summary>
    Sqlite,

    /// <summary>A server; for many machines.</summary>
    PostgreSql,
}

/// <summary>Settings of the orchestrator. Section <c>orchestrator</c> of the configuration.</summary>
public sealed class OrchestratorOptions
{
    /// <summary>Name of the configuration section.</summary>
    public const string Section = "orchestrator";

    /// <summary>Which database.</summary>
    /// <value>sqlite</value>
    public LedgerProvider Provider { get; set; }

    /// <summary>Connection of the database: for SQLite <c>Data Source=PATH</c>.</summary>
    /// <value>Data Source=espalier.db</value>
    public string Connection { get; set; } = "Data Source=espalier.db";

    /// <summary>How long a claimed step stays with a worker that is not heard from.</summary>
    /// <value>15 seconds; 1 second to 10 minutes</value>
    public TimeSpan Lease { get; set; } = TimeSpan.FromSeconds(15);

    /// <summary>How often leases, deadlines and due messages are looked at.</summary>
    /// <value>1 second; 10 milliseconds to 1 minute</value>
    public TimeSpan SweepInterval { get; set; } = TimeSpan.FromSeconds(1);

    /// <summary>How long a worker may take to stop after a cancel.</summary>
    /// <value>30 seconds; 1 second to 10 minutes</value>
    public TimeSpan CancelGrace { get; set; } = TimeSpan.FromSeconds(30);

    /// <summary>How long a ready step may wait for a worker.</summary>
    /// <value>7 days; 1 second to 90 days</value>
    public TimeSpan QueueTimeout { get; set; } = TimeSpan.FromDays(7);

    /// <summary>How long an advertised stage counts as offered.</summary>
    /// <value>3 minutes; 1 second to 1 day</value>
    public TimeSpan StageLifetime { get; set; } = TimeSpan.FromMinutes(3);

    /// <summary>Attempts that may end by a lost lease before the step is parked.</summary>
    /// <value>5; 1 to 100</value>
    public int LossLimit { get; set; } = 5;

    /// <summary>
    /// Whether a step is tried again until its store or its disk can be used again, however often that is. Otherwise such attempts count as all
    /// others do, and the run ends: better where somebody waits for the command to end, and repeats it.
    /// </summary>
    /// <value>true; false in <c>espalier run</c></value>
    public bool WaitsOutOutages { get; set; } = true;

    /// <summary>Crashes of the work process before the step is parked.</summary>
    /// <value>2; 1 to 100</value>
    public int CrashLimit { get; set; } = 2;

    /// <summary>Steps at once in the whole platform, by stage kind or device class: <c>train: 2</c>, <c>cuda: 8</c>.</summary>
    /// <value>none; each 1 to 1,000,000</value>
    public IDictionary<string, int> Quotas { get; } = new Dictionary<string, int>(StringComparer.Ordinal);

    /// <summary>
    /// Folders below which pipelines may read text (<c>file:</c>, <c>dir:</c>); links are followed first. The workers must see the same
    /// files. An orchestrator that runs within the command line reads whatever its user may read.
    /// </summary>
    /// <value>none: no file is read</value>
    public IList<string> DataFolders { get; } = [];

    /// <summary>How long events, and what triggers made of them, are kept for replays.</summary>
    /// <value>90 days; 1 hour to 10 years</value>
    public TimeSpan TriggerHistory { get; set; } = TimeSpan.FromDays(90);

    /// <summary>Address of the web portal, which browsers that come to the orchestrator are sent to.</summary>
    /// <value>none</value>
    public string Portal { get; set; } = "";

    /// <summary>How long it is kept what became of notices (<c>notify</c>) after their run ended.</summary>
    /// <value>90 days; 1 hour to 10 years</value>
    public TimeSpan NoticeHistory { get; set; } = TimeSpan.FromDays(90);

    /// <summary>
    /// How long after its end a run stays among the others. Then it is archived: its steps and its log leave the tables that lists and claims go
    /// by, and it can still be looked at under its id. What it made stays, and so does what says which event it was started for.
    /// </summary>
    /// <value>none: no run is archived; 1 hour to 10 years</value>
    public TimeSpan? RunHistory { get; set; }

    /// <summary>Checks every setting.</summary>
    /// <exception cref="UserInputException">Names every setting that is wrong, its value and what is allowed.</exception>
    public void Validate()
    {
        var problems = Problems().Select(p => new Problem($"{Section}:{p.Setting}", 0, 0, p.Message)).ToList();
        if (problems.Count > 0)
            throw new UserInputException(problems);
    }

    private IEnumerable<(string Setting, string Message)> Problems()
    {
        if (string.IsNullOrWhiteSpace(Connection))
            yield return ("connection", "It is empty: expected a connection, such as 'Data Source=espalier.db'.");
        foreach (var (setting, value, min, max) in new[]
        {
            ("lease", Lease, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10)),
            ("sweep-interval", SweepInterval, TimeSpan.FromMilliseconds(10), TimeSpan.FromMinutes(1)),
            ("cancel-grace", CancelGrace, TimeSpan.FromSeconds(1), TimeSpan.FromMinutes(10)),
            ("queue-timeout", QueueTimeout, TimeSpan.FromSeconds(1), TimeSpan.FromDays(90)),
            ("stage-lifetime", StageLifetime, TimeSpan.FromSeconds(1), TimeSpan.FromDays(1)),
            ("trigger-history", TriggerHistory, TimeSpan.FromHours(1), TimeSpan.FromDays(3650)),
            ("notice-history", NoticeHistory, TimeSpan.FromHours(1), TimeSpan.FromDays(3650)),
            ("run-history", RunHistory ?? TimeSpan.FromDays(1), TimeSpan.FromHours(1), TimeSpan.FromDays(3650)),
        })
        {
            if (value < min || value > max)
                yield return (setting, $"{value} is out of range: allowed is {min} to {max}.");
        }
        if (Portal.Length > 0 && !(Uri.TryCreate(Portal, UriKind.Absolute, out var portal) && portal.Scheme is "http" or "https"))
            yield return ("portal", $"'{Portal}' is not an address such as https://models.example.org.");
        foreach (var folder in DataFolders.Where(f => !Path.IsPathFullyQualified(f)))
            yield return ("data-folders", $"'{folder}' is not a full path.");
        foreach (var (name, quota) in Quotas)
        {
            if (quota is < 1 or > 1_000_000)
                yield return ($"quotas:{name}", $"{quota} is out of range: allowed is 1 to 1000000.");
        }
        if (LossLimit is < 1 or > 100)
            yield return ("loss-limit", $"{LossLimit} is out of range: allowed is 1 to 100.");
        if (CrashLimit is < 1 or > 100)
            yield return ("crash-limit", $"{CrashLimit} is out of range: allowed is 1 to 100.");
    }
}
