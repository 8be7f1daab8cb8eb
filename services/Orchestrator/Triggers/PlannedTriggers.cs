using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>Triggers of a plan as their kinds read them.</summary>
internal static class PlannedTriggers
{
    /// <summary>The settings of a trigger of a built-in kind.</summary>
    public static TriggerSettings ReadSettings(this PlannedTrigger trigger) => TriggerKind.Find(trigger.Event)!.Read(trigger.Settings);
}
