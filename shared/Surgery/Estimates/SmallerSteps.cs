using System.Text.Json;
using System.Text.Json.Nodes;
using Espalier.Contracts;

namespace Espalier.Surgery.Estimates;

/// <summary>What a step would need with other options.</summary>
internal static class SmallerSteps
{
    /// <summary>Every change of <see cref="IStageEstimate.Smaller"/> that takes less than the one before.</summary>
    /// <param name="stage">Estimates the step.</param>
    /// <param name="step">The step as it is.</param>
    /// <param name="memoryBytes">What it needs.</param>
    public static IEnumerable<SmallerStep> Of(IStageEstimate stage, EstimateRequest step, long memoryBytes)
    {
        foreach (var change in stage.Smaller(step))
        {
            var options = JsonObject.Create(step.Options)!;
            Apply(change, options);
            var bytes = stage.Estimate(step with { Options = JsonSerializer.SerializeToElement(options, WireJson.Options) }).MemoryBytes;
            if (bytes >= memoryBytes)
                continue;
            memoryBytes = bytes;
            yield return new SmallerStep(string.Join(" and ", Texts("", change).Select(text => $"'{text}'")), bytes);
        }
    }

    private static void Apply(JsonObject change, JsonObject options)
    {
        foreach (var (name, value) in change)
        {
            if (value is JsonObject nested && options[name] is JsonObject within)
                Apply(nested, within);
            else
                options[name] = value?.DeepClone();
        }
    }

    private static IEnumerable<string> Texts(string prefix, JsonObject change) => change.SelectMany(entry => entry.Value is JsonObject nested
        ? Texts($"{prefix}{entry.Key}.", nested)
        : [$"{prefix}{entry.Key}: {entry.Value!.ToJsonString()}"]);
}
