using System.Text.Json;
using Espalier.Pipelines.Options;
using YamlDotNet.Serialization;

namespace Espalier.Pipelines.Planning;

/// <summary>Writes planned steps as a pipeline file again: no parameters and no matrix, every option written out. Planning it makes the same steps.</summary>
public static class ResolvedPipelineText
{
    /// <summary>The text.</summary>
    /// <param name="name">Name of the pipeline.</param>
    /// <param name="steps">Its steps, in order.</param>
    public static string Write(string name, IReadOnlyList<PlannedStep> steps)
    {
        var made = steps.Where(s => s.IsImplicit).ToDictionary(s => s.Name);
        var stages = steps.Where(s => !s.IsImplicit).ToDictionary(s => s.Name, s => (object)StageOf(s, made));
        return new SerializerBuilder().WithQuotingNecessaryStrings().WithIndentedSequences().DisableAliases().Build()
            .Serialize(new Dictionary<string, object> { ["name"] = name, ["stages"] = stages });
    }

    private static Dictionary<string, object> StageOf(PlannedStep step, Dictionary<string, PlannedStep> made)
    {
        var usual = new RetryPolicy();
        var stage = new Dictionary<string, object> { ["uses"] = step.Kind };
        if (step.Description.Length > 0)
            stage["description"] = step.Description;
        if (step.Needs.Where(n => !made.ContainsKey(n)).ToList() is { Count: > 0 } needs)
            stage["needs"] = needs;
        if (step.When is { } when)
            stage["when"] = when;
        if (step.Device != "cpu")
            stage["device"] = step.Device;
        if (step.Priority != 0)
            stage["priority"] = step.Priority;
        if (step.Timeout is { } timeout)
            stage["timeout"] = Units.WriteDuration(timeout);
        if (step.Retry != usual)
            stage["retry"] = new Dictionary<string, object> { ["attempts"] = step.Retry.Attempts, ["backoff"] = Units.WriteDuration(step.Retry.Backoff) };
        if (step.Options.ValueKind == JsonValueKind.Object && ValueOf(step.Options, step, made) is Dictionary<string, object> { Count: > 0 } options)
            stage["with"] = options;
        return stage;
    }

    private static object? ValueOf(JsonElement value, PlannedStep step, Dictionary<string, PlannedStep> made) => value.ValueKind switch
    {
        JsonValueKind.Object => value.EnumerateObject()
            .Select(p => (p.Name, Value: ValueOf(p.Value, step, made))).Where(p => p.Value is not null).ToDictionary(p => p.Name, p => p.Value!),
        JsonValueKind.Array => value.EnumerateArray().Select(item => ValueOf(item, step, made)).ToList(),
        JsonValueKind.String => TextOf(value.GetString()!, step, made),
        JsonValueKind.Number => value.TryGetInt64(out var whole) ? whole : value.GetDouble(),
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => null,
    };

    private static Dictionary<string, object> SourceOf(JsonElement source) => source.EnumerateObject()
        .Where(p => p.Name != DatasetSource.FingerprintOption && p.Value.ValueKind != JsonValueKind.Null)
        .ToDictionary(p => p.Name, p => p.Value.ValueKind == JsonValueKind.Number ? p.Value.GetDouble() : (object)p.Value.GetString()!);

    /// <summary>An option that became an input as the file would name what it reads.</summary>
    private static object TextOf(string text, PlannedStep step, Dictionary<string, PlannedStep> made)
    {
        var input = step.Inputs.FirstOrDefault(i => text == ArtifactForms.Input + i.As);
        if (input is null)
            return text.Replace("${", "$${", StringComparison.Ordinal);
        if (input.Artifact is not null)
            return input.Step;
        if (made.TryGetValue(input.Step, out var dataset))
        {
            if (dataset.Options.TryGetProperty(DatasetSource.SourceOption, out var source))
                return source.GetString()!;
            if (dataset.Options.TryGetProperty(DatasetSource.SourcesOption, out var sources))
                return sources.EnumerateArray().Select(SourceOf).ToList();
        }
        return $"${{{input.Step}.{input.Output}}}";
    }
}
