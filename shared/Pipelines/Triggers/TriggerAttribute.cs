namespace Espalier.Pipelines.Triggers;

/// <summary>Names the event that a record of <see cref="TriggerSettings"/> describes, as it is written under <c>on</c>.</summary>
/// <param name="eventName">The event, such as <c>model.registered</c>.</param>
/// <param name="description">One sentence for editors and help.</param>
[AttributeUsage(AttributeTargets.Class)]
public sealed class TriggerAttribute(string eventName, string description) : Attribute
{
    /// <summary>The event.</summary>
    public string EventName { get; } = eventName;

    /// <summary>When it happens.</summary>
    public string Description { get; } = description;

    /// <summary>Option that a plain text stands for: <c>cron: "0 3 * * *"</c> is <c>cron: { schedule: ... }</c>; null when there is no short form.</summary>
    public string? ShortForm { get; init; }

    /// <summary>What the event says, as <c>event.NAME</c>; a name that ends with <c>.*</c> holds whatever the sender wrote. None: nothing is checked.</summary>
    public string[] Fields { get; init; } = [];
}
