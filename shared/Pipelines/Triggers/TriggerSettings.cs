using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Triggers;

/// <summary>
/// Settings of one kind of trigger. A kind is a record that derives from this one and carries a <see cref="TriggerAttribute"/>;
/// its <see cref="OptionAttribute"/> properties are what the file may say, and validators beside it are run.
/// </summary>
public abstract record TriggerSettings
{
    /// <summary>Longest chain of pipelines that start each other.</summary>
    /// <value>4</value>
    [Option("Longest chain of pipelines that start each other.", Min = 1, Max = 16)]
    public int MaxDepth { get; init; } = 4;

    /// <summary>Events with the same key start the pipeline once; null for the event's own identity.</summary>
    [Option("Events with the same key start the pipeline once.")]
    public string? DedupeKey { get; init; }
}
