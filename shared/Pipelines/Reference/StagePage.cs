using System.Globalization;
using System.Text;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Pipelines.Options;
using Espalier.Pipelines.Planning;

namespace Espalier.Pipelines.Reference;

/// <summary>The page of a stage kind: what it makes, its options, those of its methods, and its metrics.</summary>
internal static class StagePage
{
    public static ReferencePage Write(StageDefinition stage)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"# {stage.Kind}\n\n");
        if (stage.Traits.Summary.Length > 0)
            text.Append(CultureInfo.InvariantCulture, $"{stage.Traits.Summary}\n\n");
        text.Append(CultureInfo.InvariantCulture, $"In a pipeline: `uses: {stage.Kind}`, with the options under `with`. {Outputs(stage.Traits)}\n\n");
        text.Append("## Options\n\n");
        WriteTable(text, Flatten(stage.Schema, ""));
        foreach (var (method, own) in MethodsOf(stage.Schema))
        {
            text.Append(CultureInfo.InvariantCulture, $"\n## {method}\n\n");
            WriteTable(text, own);
        }
        WriteMetrics(text, stage.Traits);
        return new ReferencePage([stage.Kind], stage.Kind, stage.Traits.Summary, text.ToString());
    }

    private static string Outputs(StageTraits traits) => traits.Outputs.Count == 0
        ? "Later steps read nothing of it."
        : $"It makes: {string.Join(", ", traits.Outputs.Select(o => $"`{o}`"))}; later steps name it as `${{STEP.{traits.Outputs[0]}}}`, or simply need it."
            + string.Concat(traits.OutputOptions.Select(o => $" `{o.Key}` is made with the option `{o.Value}` only."));

    private static IEnumerable<(string Path, OptionSchema Option)> Flatten(OptionSchema schema, string prefix)
    {
        foreach (var (name, option) in schema.Properties!)
        {
            var path = prefix + name;
            yield return (path, option);
            var inner = option.Kind is ValueKind.List or ValueKind.Map ? option.Items! : option;
            if (inner.Kind != ValueKind.Object)
                continue;
            foreach (var nested in Flatten(inner, path + (option.Kind == ValueKind.Map ? ".NAME." : option.Kind == ValueKind.List ? "[]." : ".")))
                yield return nested;
        }
    }

    /// <summary>For every choice that has options of its own, wherever it stands: <c>method: heapr</c>, <c>router.method: bias</c>.</summary>
    private static IEnumerable<(string Choice, IEnumerable<(string, OptionSchema)> Options)> MethodsOf(OptionSchema schema, string prefix = "")
    {
        foreach (var (method, own) in schema.Methods ?? new Dictionary<string, OptionSchema>())
            yield return ($"With `{prefix}{schema.Discriminator}: {method}`", Flatten(own, prefix));
        foreach (var (name, option) in schema.Properties!.Where(p => p.Value.Kind == ValueKind.Object))
        {
            foreach (var nested in MethodsOf(option, $"{prefix}{name}."))
                yield return nested;
        }
    }

    private static void WriteTable(StringBuilder text, IEnumerable<(string Path, OptionSchema Option)> options)
    {
        text.Append("| option | takes | without it | what it is |\n|---|---|---|---|\n");
        foreach (var (path, option) in options)
            text.Append(CultureInfo.InvariantCulture, $"| `{path}` | {Cell(Takes(option))} | {Cell(Default(option))} | {Cell(option.Description)} |\n");
    }

    private static void WriteMetrics(StringBuilder text, StageTraits traits)
    {
        if (traits.Metrics.Count == 0)
            return;
        text.Append("\n## Metrics\n\nWhat conditions (`when: STEP.METRIC < 3`) and gates read; `MODEL` is the step that made a model, ")
            .Append("`DOMAIN` a domain of the data.\n\n")
            .Append("| metric | reported |\n|---|---|\n");
        foreach (var group in traits.Metrics.GroupBy(m => Conditions(m)))
        {
            var names = string.Join(", ", group.Select(m => $"`{Readable(m.Name)}`"));
            text.Append(CultureInfo.InvariantCulture, $"| {names} | {group.Key} |\n");
        }
    }

    private static string Readable(string metric) =>
        metric.Replace(StageMetric.Model, "MODEL", StringComparison.Ordinal).Replace(StageMetric.Domain, "DOMAIN", StringComparison.Ordinal);

    private static string Conditions(StageMetric metric) => metric.When.Count == 0
        ? "always, where it applies"
        : "with " + string.Join(" and ", metric.When.Select(
            w => w.Value.Length == 0 ? $"`{w.Key}`" : $"`{w.Key}`: {string.Join(", ", StageMetric.WordsOf(w.Value))}"));

    private static string Takes(OptionSchema option) => option.Kind switch
    {
        ValueKind.Choice => string.Join(", ", option.Choices!.Select(c => $"`{c}`")),
        ValueKind.Bool => "`true` or `false`",
        ValueKind.Text => option.PatternMeaning ?? "text",
        ValueKind.Dataset => "a dataset: `corpus:NAME`, `file:PATH`, `dir:PATH`, `jsonl:PATH`, `parquet:PATH`, `dataset:NAME@VERSION`, "
            + "a list of sources, `${STEP.data}`",
        ValueKind.Model => "a model: `${STEP.model}`, `model:NAME@ALIAS`",
        ValueKind.Template => "text with `${event.NAME}`",
        ValueKind.Object => "options by name",
        ValueKind.List => (option.AcceptsOne ? "one, or a list: " : "a list: ") + Takes(option.Items!),
        ValueKind.Map => $"by free names: {Takes(option.Items!)}",
        _ => NumberText.Expected(option.Kind) + (Limits(option) is { } limits ? $", {limits}" : "")
            + (option.Choices is { } words ? $", or {string.Join(", ", words.Select(w => $"`{w}`"))}" : ""),
    };

    private static string? Limits(OptionSchema option) => (option.Min, option.Max) switch
    {
        (null or <= int.MinValue, null or >= int.MaxValue) => null,
        (_, >= int.MaxValue) => NumberText.Range(option with { Max = null }),
        (<= int.MinValue, _) => NumberText.Range(option with { Min = null }),
        _ => NumberText.Range(option),
    };

    private static string Default(OptionSchema option)
    {
        if (option.Required && option.Kind != ValueKind.Dataset)
            return "required";
        if (option.Default is not { } value)
            return option.Kind == ValueKind.Dataset && (option.Required || option.Inherit) ? "that of the nearest step before it" : "-";
        return option.Kind switch
        {
            ValueKind.Object or ValueKind.Map => "-",
            ValueKind.Duration when TimeSpan.TryParse(value.GetString(), CultureInfo.InvariantCulture, out var length) => $"`{Units.WriteDuration(length)}`",
            ValueKind.List => string.Join(", ", value.EnumerateArray().Select(v => $"`{v}`")) is { Length: > 0 } items ? items : "none",
            _ when value.ValueKind == JsonValueKind.String => value.GetString() is { Length: > 0 } word ? $"`{word}`" : "-",
            _ => $"`{value.GetRawText()}`",
        };
    }

    private static string Cell(string text) => text.Replace("|", "or", StringComparison.Ordinal).ReplaceLineEndings(" ");
}
