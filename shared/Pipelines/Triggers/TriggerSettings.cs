using Espalier.Pipelines.Expressions;
using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Triggers;

/// <summary>
/// Settings of one kind of trigger. A kind is a record that derives from this one and carries a <see cref="TriggerAttribute"/>;
/// its <see cref="OptionAttribute"/> properties are what the file may say, and validators beside it are run.
/// </summary>
public abstract record TriggerSettings
{
    /// <summary>Failed runs in a row that are usually enough to pause a trigger.</summary>
    public const int UsualPause = 5;

    /// <summary>Tells it from others of its event in the pipeline; one of them may have none.</summary>
    [Option("Name of the trigger, when a pipeline has several of an event: it is called PIPELINE.EVENT.NAME.")]
    public string? Name { get; init; }

    /// <summary>Condition over the event; the event passes when it is true. Null lets every event pass.</summary>
    [Option("Condition over the event, such as event.model == \"demo\" and event.version > 3.")]
    public string? When { get; init; }

    /// <summary>Values of the pipeline's parameters, into which values of the event are filled.</summary>
    [Option("Parameters of the run: text with values of the event, such as ${event.version}.", Kind = OptionKind.Template)]
    public IReadOnlyDictionary<string, string> Params { get; init; } = new Dictionary<string, string>();

    /// <summary>Waits so long for a further event, and then starts one run for the last of them; null starts at once.</summary>
    [Option("Waits so long for a further event, and then starts one run for the last of them.")]
    public TimeSpan? Debounce { get; init; }

    /// <summary>Runs that must not be under way together; null for no limit.</summary>
    [Option("Runs that must not be under way together.")]
    public ConcurrencyBlock? Concurrency { get; init; }

    /// <summary>Added to the priority of every step of the run.</summary>
    /// <value>0</value>
    [Option("Added to the priority of every step of the run.", Min = -1000, Max = 1000)]
    public int Priority { get; init; }

    /// <summary>Most runs in a time; null for no limit.</summary>
    [Option("Most runs that the trigger starts in a time.")]
    public QuotaBlock? Quota { get; init; }

    /// <summary>Longest chain of pipelines that start each other.</summary>
    /// <value>8</value>
    [Option("Longest chain of pipelines that start each other.", Min = 1, Max = 16)]
    public int MaxDepth { get; init; } = 8;

    /// <summary>Events with the same key start the pipeline once; null for the event's own identity.</summary>
    [Option("Events with the same key start the pipeline once.", Kind = OptionKind.Template)]
    public string? DedupeKey { get; init; }

    /// <summary>Failed runs in a row that pause the trigger.</summary>
    /// <value>5</value>
    [Option("Failed runs in a row that pause the trigger.", Min = 1, Max = 1000)]
    public int PauseAfter { get; init; } = UsualPause;

    /// <summary>Why an event is not one that the kind's own filters name; null when it is.</summary>
    public virtual string? Mismatch(EventFields fields) => null;

    /// <summary>The texts that hold values of an event, by option.</summary>
    internal IEnumerable<(string Option, string Text)> Templates() =>
        Params.Select(p => ($"params.{p.Key}", p.Value))
            .Concat(DedupeKey is { } key ? [("dedupe-key", key)] : [])
            .Concat(Concurrency is { } block ? [("concurrency.group", block.Group)] : []);

    /// <summary>The mismatch of one name with its pattern, or null.</summary>
    protected static string? Compare(EventFields fields, string field, string pattern)
    {
        var found = fields.TextOf(field);
        return Glob.IsMatch(pattern, found) ? null : $"{field} is '{found}', and the trigger asks for '{pattern}'";
    }
}

/// <summary>What happens when a run of the group is under way already.</summary>
public enum ConcurrencyPolicy
{
    /// <summary>The new run waits for its turn.</summary>
    Queue,

    /// <summary>The run that is under way is cancelled, and runs that wait are dropped.</summary>
    CancelInProgress,

    /// <summary>No run is started.</summary>
    Skip,
}

/// <summary><c>concurrency: { group: "train-${event.model}", policy: queue }</c>.</summary>
public sealed record ConcurrencyBlock
{
    /// <summary>Name of the group, into which values of the event may be filled; pipelines may share it.</summary>
    [Option("name of the group, such as train-${event.model}", Kind = OptionKind.Template, Required = true)]
    public string Group { get; init; } = "";

    /// <summary>What happens when a run of the group is under way already.</summary>
    /// <value>queue</value>
    [Option("What happens when a run of the group is under way.")]
    public ConcurrencyPolicy Policy { get; init; } = ConcurrencyPolicy.Queue;
}

/// <summary>The time that a quota counts in.</summary>
public enum QuotaPeriod
{
    /// <summary>The last 60 minutes.</summary>
    Hour,

    /// <summary>The last 24 hours.</summary>
    Day,
}

/// <summary><c>quota: { runs: 4, per: day }</c>.</summary>
public sealed record QuotaBlock
{
    /// <summary>Most runs.</summary>
    /// <value>0</value>
    [Option("most runs in that time", Min = 1, Max = 100_000, Required = true)]
    public int Runs { get; init; }

    /// <summary>In which time.</summary>
    /// <value>hour</value>
    [Option("The time.")]
    public QuotaPeriod Per { get; init; } = QuotaPeriod.Hour;
}
