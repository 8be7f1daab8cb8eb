using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Planning;
using Espalier.Pipelines.Triggers;

namespace Espalier.Orchestrator.Triggers;

/// <summary>
/// Finds pipelines that would start themselves: one that registers a model and starts when that model is registered. Without a filter
/// that is a loop, and refused; with one it may be meant, and is only said.
/// </summary>
internal static class SelfTriggers
{
    /// <summary>Looks through a plan.</summary>
    /// <exception cref="UserInputException">The pipeline would start itself without end.</exception>
    public static void Check(PipelinePlan plan, string fileName, out IReadOnlyList<string> warnings)
    {
        var found = plan.Triggers
            .Select(t => (Trigger: t, Settings: t.ReadSettings()))
            .SelectMany(t => EffectsOf(plan).Where(e => e.Kind == t.Trigger.Event && Takes(t.Settings, e)).Select(e => (t.Trigger, t.Settings, Effect: e)))
            .ToList();
        var loops = found.Where(f => f.Settings.When is null).Select(f => new Problem(fileName, 0, 0,
            $"on: {f.Trigger.Label}: the pipeline would start itself without end: {f.Effect.What}, and every such event starts it again. "
            + "Say with 'when' which events are meant, or name another model or pipeline.")).ToList();
        if (loops.Count > 0)
            throw new UserInputException(loops);
        warnings =
        [
            .. found.Select(f =>
                $"on: {f.Trigger.Label}: {f.Effect.What}, which may start it again when this is true: {f.Settings.When}. "
                + $"A chain ends after {f.Settings.MaxDepth} runs (max-depth)."),
        ];
    }

    private static bool Takes(TriggerSettings settings, Effect effect) =>
        settings.Mismatch(new EventFields(JsonSerializer.SerializeToElement(effect.Fields, WireJson.Options))) is null;

    /// <summary>The events that a run of a plan makes happen.</summary>
    private static IEnumerable<Effect> EffectsOf(PipelinePlan plan)
    {
        foreach (var end in new[] { EventKinds.RunSucceeded, EventKinds.RunFailed, EventKinds.RunCancelled })
            yield return new Effect(end, "it is a run of this pipeline that ends", new { pipeline = plan.Name });
        foreach (var step in plan.Steps.Where(s => s.Kind == StageKinds.Register))
        {
            var model = TextOf(step, "name");
            yield return new Effect(EventKinds.ModelRegistered, $"step '{step.Name}' registers model '{model}'", new { model });
            if (TextOf(step, "alias") is not { Length: > 0 } alias)
                continue;
            yield return new Effect(EventKinds.AliasMoved, $"step '{step.Name}' moves the alias {model}@{alias}", new { model, alias });
            yield return new Effect(EventKinds.GateDecided, $"step '{step.Name}' asks the gate of {model}@{alias}", new { model, alias });
        }
    }

    private static string TextOf(PlannedStep step, string option) =>
        step.Options.TryGetProperty(option, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString()! : "";

    private sealed record Effect(string Kind, string What, object Fields);
}
