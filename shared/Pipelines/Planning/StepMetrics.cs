using System.Text.Json.Nodes;
using Espalier.Contracts;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Planning;

/// <summary>Which metrics a step will report, as far as its stage says.</summary>
internal static class StepMetrics
{
    /// <summary>What is wrong with a metric's name; null for nothing, or where the stage does not say.</summary>
    public static string? ProblemOf(StepDraft step, string name)
    {
        if (step.Stage?.Traits.Metrics is not { Count: > 0 } declared)
            return null;
        var names = declared.Where(m => MissingOption(step, m) is null).SelectMany(m => NamesOf(step, m)).ToList();
        if (names.Exists(declaredName => Is(declaredName, name)))
            return null;
        var asked = declared.FirstOrDefault(m => NamesOf(step, m).Any(declaredName => Is(declaredName, name)));
        return asked is not null && MissingOption(step, asked) is var (option, values)
            ? $"step '{step.Name}' reports it only with {Describe(option, values)}"
            : $"step '{step.Name}' ({step.Stage.Kind}) reports no metric '{name}': {NearestWord.Hint(name, [.. names.Select(Readable)])}";
    }

    // Which domains there are is known only when the data is read.
    private static bool Is(string declared, string name) => declared.EndsWith(StageMetric.Domain, StringComparison.Ordinal)
        ? name.Length > declared.Length - StageMetric.Domain.Length && name.StartsWith(declared[..^StageMetric.Domain.Length], StringComparison.Ordinal)
        : declared == name;

    private static string Readable(string declared) => declared.Replace(StageMetric.Domain, "DOMAIN", StringComparison.Ordinal);

    private static IEnumerable<string> NamesOf(StepDraft step, StageMetric metric) => metric.Name.Contains(StageMetric.Model, StringComparison.Ordinal)
        ? step.Inputs.Where(i => i.Output == OutputNames.Model).Select(i => metric.Name.Replace(StageMetric.Model, i.Step, StringComparison.Ordinal)).Distinct()
        : [metric.Name];

    private static (string Option, IReadOnlyList<string> Values)? MissingOption(StepDraft step, StageMetric metric)
    {
        foreach (var (option, words) in metric.When)
        {
            var values = StageMetric.WordsOf(words);
            var value = step.Options.Values[option];
            var found = value is JsonArray list ? list.Select(WordOf) : [WordOf(value)];
            if (value is null || values.Count > 0 && !found.Any(word => word is not null && values.Contains(word)))
                return (option, values);
        }
        return null;
    }

    private static string? WordOf(JsonNode? value) => value is JsonValue word && word.TryGetValue<string>(out var text) ? text : null;

    private static string Describe(string option, IReadOnlyList<string> values) => values.Count switch
    {
        0 => $"'{option}'",
        1 => $"'{option}: {values[0]}'",
        _ => $"'{option}' one of {string.Join(", ", values)}",
    };
}
