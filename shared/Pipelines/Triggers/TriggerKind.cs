using System.Reflection;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Options;

namespace Espalier.Pipelines.Triggers;

/// <summary>One kind of event that can start a pipeline.</summary>
/// <param name="Event">Name under <c>on</c>.</param>
/// <param name="Description">One sentence for editors and help.</param>
/// <param name="Settings">The record of its settings.</param>
/// <param name="ShortForm">Option that a plain text stands for, or null.</param>
/// <param name="Fields">What the event says; empty when anything may be asked for.</param>
public sealed record TriggerKind(string Event, string Description, Type Settings, string? ShortForm, IReadOnlyList<string> Fields)
{
    private const string Anything = ".*";

    /// <summary>The kinds that the platform has.</summary>
    public static IReadOnlyList<TriggerKind> BuiltIn { get; } = In(typeof(TriggerKind).Assembly);

    /// <summary>The schema of its settings.</summary>
    public OptionSchema Schema { get; } = OptionSchema.For(Settings);

    /// <summary>Every kind that an assembly declares with <see cref="TriggerAttribute"/>, by name.</summary>
    public static IReadOnlyList<TriggerKind> In(Assembly assembly) =>
    [
        .. from type in assembly.GetTypes()
           where type.IsAssignableTo(typeof(TriggerSettings))
           let trigger = type.GetCustomAttribute<TriggerAttribute>()
           where trigger is not null
           orderby trigger.EventName
           select new TriggerKind(trigger.EventName, trigger.Description, type, trigger.ShortForm, trigger.Fields),
    ];

    /// <summary>The built-in kind of this name, or null.</summary>
    public static TriggerKind? Find(string name) => BuiltIn.FirstOrDefault(k => k.Event == name);

    /// <summary>Settings as <see cref="Planning.PlannedTrigger.Settings"/> holds them.</summary>
    public TriggerSettings Read(JsonElement settings) => (TriggerSettings)settings.Deserialize(Settings, WireJson.Options)!;

    /// <summary>Whether the event says something under this path.</summary>
    internal bool Says(string path) => Fields.Count == 0 || Fields.Any(f => f == path
        || f.EndsWith(Anything, StringComparison.Ordinal) && path.StartsWith(f[..^1], StringComparison.Ordinal));
}
