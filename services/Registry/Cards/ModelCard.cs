using System.Globalization;
using System.Text;
using System.Text.Json;
using Espalier.Contracts;
using Espalier.Registry.Lineages;

namespace Espalier.Registry.Cards;

/// <summary>
/// The generated model card: YAML front matter as on the Hugging Face Hub, then shape, metrics, how it was made, lineage.
/// Complete by construction: everything comes from manifests, receipts and reports.
/// </summary>
internal static class ModelCard
{
    /// <summary>What names of the other models' metrics are told by: every evaluated model has it.</summary>
    private const string OfModel = ".total-parameters";

    private const string Finetune = "finetune", Quantized = "quantized", Merge = "merge";

    /// <summary>Writes the generated part.</summary>
    public static string Write(CardFacts facts, DateTimeOffset registered)
    {
        var card = new StringBuilder();
        WriteFrontMatter(card, facts);
        card.Append(CultureInfo.InvariantCulture, $"# {facts.Model}\n\n");
        WriteShape(card, facts, registered);
        WriteMetrics(card, facts.Measures);
        WriteLoading(card, facts);
        WriteSteps(card, facts);
        WriteLineage(card, facts);
        return card.ToString();
    }

    /// <summary>The card with what users added, which stays apart from what was measured.</summary>
    public static string WithDescription(string card, string description) =>
        description.Length == 0 ? card : $"{card}\n## Notes\n\n{description.ReplaceLineEndings("\n").Trim()}\n";

    private static void WriteFrontMatter(StringBuilder card, CardFacts facts)
    {
        card.Append("---\nlibrary_name: espalier\npipeline_tag: text-generation\n");
        if (facts.Licence is { } licence)
            card.Append(CultureInfo.InvariantCulture, $"license: {Yaml(licence)}\n");
        var parents = facts.Lineage[0].Parents.Where(p => p.Relation is not ("data" or "tokenizer" or "teacher")).DistinctBy(p => p.Manifest).ToList();
        if (parents.Count > 0)
        {
            WriteList(card, "base_model", parents.Select(p => NameOf(facts, p.Manifest)));
            card.Append(CultureInfo.InvariantCulture, $"base_model_relation: {RelationOnTheHub(parents.Select(p => p.Relation).ToList())}\n");
        }
        else if (facts.Origin.Length > 0)
        {
            WriteList(card, "base_model", [facts.Origin]);
        }
        WriteList(card, "datasets", facts.Datasets.Select(d => d.Name).Distinct(StringComparer.Ordinal));
        WriteList(card, "metrics", facts.Measures.Keys.Where(m => !m.Contains('.', StringComparison.Ordinal)));
        var relations = facts.Lineage.SelectMany(n => n.Parents).Select(p => p.Relation).Where(r => r is not ("data" or "tokenizer" or "teacher"));
        string[] kinds = ["mixture-of-experts", facts.Shape.Family];
        var tags = kinds.Where(t => t.Length > 0).Concat(relations.Order(StringComparer.Ordinal)).Distinct(StringComparer.Ordinal);
        WriteList(card, "tags", tags);
        WriteIndex(card, facts);
        card.Append("---\n\n");
    }

    private static void WriteIndex(StringBuilder card, CardFacts facts)
    {
        var metrics = facts.Measures.Where(m => m.Key is "loss" or "perplexity" or "bits-per-byte" or "accuracy").ToList();
        if (metrics.Count == 0 || facts.Datasets.Count == 0)
            return;
        var (name, root) = (Yaml(facts.Datasets[0].Name), Yaml(facts.Datasets[0].Root.Hex));
        card.Append(CultureInfo.InvariantCulture, $"model-index:\n- name: {Yaml(facts.Model)}\n  results:\n  - task: {{ type: text-generation }}\n");
        card.Append(CultureInfo.InvariantCulture, $"    dataset: {{ name: {name}, type: held-out, revision: {root} }}\n    metrics:\n");
        foreach (var (metric, measure) in metrics)
            card.Append(CultureInfo.InvariantCulture, $"    - {{ type: {metric}, value: {measure.Value:R} }}\n");
    }

    private static void WriteShape(StringBuilder card, CardFacts facts, DateTimeOffset registered)
    {
        var shape = facts.Shape;
        if (shape.Experts > 0)
        {
            var experts = $"{shape.Experts} experts of which each token uses {shape.ExpertsPerToken}";
            card.Append(CultureInfo.InvariantCulture, $"{Text(shape.Family)}: {shape.Layers} layers, {experts}. ");
        }
        card.Append(CultureInfo.InvariantCulture, $"{shape.TotalParameters:N0} parameters, {shape.ActiveParameters:N0} active.\n\n");
        card.Append(CultureInfo.InvariantCulture, $"Manifest root `{facts.Checkpoint.Root.Hex}`, {facts.Checkpoint.SizeBytes:N0} bytes, ");
        card.Append(CultureInfo.InvariantCulture, $"registered {registered.UtcDateTime:yyyy-MM-dd}.\n");
        if (facts.Origin.Length > 0)
            card.Append(CultureInfo.InvariantCulture, $"Imported from {Text(facts.Origin)}.\n");
    }

    private static void WriteMetrics(StringBuilder card, IReadOnlyDictionary<string, Measure> measures)
    {
        if (measures.Count == 0)
            return;
        var others = measures.Keys.Where(m => m.EndsWith(OfModel, StringComparison.Ordinal)).Select(m => m[..^OfModel.Length]).ToList();
        card.Append("\n## Metrics\n\n| metric | value | 95 % interval |\n|---|---|---|\n");
        foreach (var (name, measure) in measures.Where(m => !others.Exists(o => m.Key.StartsWith(o + ".", StringComparison.Ordinal))))
            card.Append(CultureInfo.InvariantCulture, $"| {Text(name)} | {measure.Value:G6} | {Interval(measure)} |\n");
        if (others.Count == 0)
            return;
        string[] names = ["loss", "bits-per-byte", "accuracy", "total-parameters", "active-parameters", "bytes"];
        var shown = names.Where(n => others.Exists(o => measures.ContainsKey($"{o}.{n}"))).ToList();
        card.Append("\nOther models that the same evaluation measured:\n\n| model | ").AppendJoin(" | ", shown)
            .Append(" |\n|---|").AppendJoin("|", shown.Select(_ => "---")).Append("|\n");
        foreach (var other in others)
        {
            card.Append(CultureInfo.InvariantCulture, $"| {Text(other)} | ")
                .AppendJoin(" | ", shown.Select(n => measures.TryGetValue($"{other}.{n}", out var m) ? Cell(m) : "")).Append(" |\n");
        }

        static string Cell(Measure measure) => string.Create(
            CultureInfo.InvariantCulture, $"{measure.Value:G6}{(measure.Low is null ? "" : $" ({Interval(measure)})")}");
    }

    private static string Interval(Measure measure) =>
        measure is { Low: { } low, High: { } high } ? string.Create(CultureInfo.InvariantCulture, $"{low:G6} to {high:G6}") : "";

    private static void WriteLoading(StringBuilder card, CardFacts facts)
    {
        if (facts.Shape.Family.Length == 0)
            return;
        card.Append("\n## How to load it\n\nWith `DIR` as the folder of this file, where it lies beside the weights:\n\n```python\n")
            .Append("from transformers import AutoModelForCausalLM\n\n")
            .Append("model = AutoModelForCausalLM.from_pretrained(\"DIR\", dtype=\"auto\")\n```\n\n```\nvllm serve DIR\n```\n");
    }

    private static void WriteSteps(StringBuilder card, CardFacts facts)
    {
        if (facts.Receipts.Count == 0)
            return;
        card.Append("\n## How it was made\n\n| step | stage | method | seconds | attempt | started | numerics |\n|---|---|---|---|---|---|---|\n");
        foreach (var receipt in facts.Receipts)
        {
            var method = facts.Lineage.FirstOrDefault(n => n.Step?.Name == receipt.Step && n.Step.Stage == receipt.Kind)?.Step?.Method ?? "";
            card.Append(CultureInfo.InvariantCulture, $"| {Text(receipt.Step)} | {Text(receipt.Kind)} | {Text(method)} ");
            card.Append(CultureInfo.InvariantCulture, $"| {receipt.Duration.TotalSeconds:0.0} | {receipt.Attempt} ");
            card.Append(CultureInfo.InvariantCulture, $"| {receipt.Started.UtcDateTime:yyyy-MM-dd HH:mm} | {Text(receipt.Key?.NumericsClass ?? "")} |\n");
        }
        card.Append(CultureInfo.InvariantCulture, $"\n{facts.Receipts.Sum(r => r.Duration.TotalSeconds):0.0} seconds of compute in all.\n");
    }

    private static void WriteLineage(StringBuilder card, CardFacts facts)
    {
        card.Append("\n## Lineage\n\n");
        foreach (var node in facts.Lineage)
        {
            var parents = node.Parents.Select(p => $"{Text(p.Relation)} from {Shown(facts, p.Manifest)}");
            var kind = node.Kind is { } known ? JsonNamingPolicy.KebabCaseLower.ConvertName(known.ToString()) : "no longer stored";
            var from = node.Parents.Count > 0 ? ": " + string.Join(", ", parents) : "";
            card.Append(CultureInfo.InvariantCulture, $"- {Shown(facts, node.Root)} ({kind}){from}\n");
        }
        foreach (var dataset in facts.Datasets)
        {
            var licences = dataset.Licences.Count > 0 ? $", licences: {Text(string.Join(", ", dataset.Licences))}" : "";
            card.Append(CultureInfo.InvariantCulture, $"- dataset `{dataset.Root.Short}` is {Text(dataset.Name)}{licences}\n");
        }
    }

    private static string Shown(CardFacts facts, Digest root) => facts.Names.TryGetValue(root, out var name) ? $"{name} `{root.Short}`" : $"`{root.Short}`";

    private static string NameOf(CardFacts facts, Digest root) => facts.Names.TryGetValue(root, out var name) ? name : $"sha256:{root.Hex}";

    // The Hub knows no 'upcycled' or 'pruned'; the exact words are among the tags.
    private static string RelationOnTheHub(List<string> relations) =>
        relations.Count > 1 ? Merge : relations[0] == "quantized" ? Quantized : Finetune;

    private static void WriteList(StringBuilder card, string key, IEnumerable<string> items)
    {
        var list = items.ToList();
        if (list.Count == 0)
            return;
        card.Append(CultureInfo.InvariantCulture, $"{key}:\n");
        foreach (var item in list)
            card.Append(CultureInfo.InvariantCulture, $"- {Yaml(item)}\n");
    }

    /// <summary>A YAML scalar: plain where that is safe, else in double quotes as in JSON.</summary>
    private static string Yaml(string text)
    {
        var isPlain = text.Length > 0
            && char.IsAsciiLetter(text[0])
            && text.All(c => char.IsAsciiLetterOrDigit(c) || c is '-' or '_' or '.' or '/' or '@')
            && text is not ("true" or "false" or "null" or "yes" or "no");
        return isPlain ? text : JsonSerializer.Serialize(text);
    }

    /// <summary>Text from outside within a line or table cell: no markup, no line breaks.</summary>
    private static string Text(string text)
    {
        var safe = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            safe.Append(c switch
            {
                '<' => "&lt;",
                '>' => "&gt;",
                '&' => "&amp;",
                '|' or '[' or ']' or '`' or '*' or '_' or '!' => "\\" + c,
                _ when char.IsControl(c) => " ",
                _ => c.ToString(),
            });
        }
        return safe.ToString();
    }
}
