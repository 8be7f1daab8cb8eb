using System.Globalization;
using System.Text;
using Espalier.Contracts;

namespace Espalier.Registry;

/// <summary>The generated model card: YAML front matter as on the Hugging Face Hub, then metrics and lineage.</summary>
public static class ModelCard
{
    /// <summary>Writes the card. Complete by construction: everything comes from manifests and reports.</summary>
    public static string Write(string name, string description, ManifestRef model, IReadOnlyList<LineageNode> lineage, IReadOnlyDictionary<string, double> metrics)
    {
        var card = new StringBuilder();
        card.Append("---\nlibrary_name: espalier\npipeline_tag: text-generation\ntags:\n- mixture-of-experts\n");
        foreach (var relation in lineage.SelectMany(n => n.Parents).Select(p => p.Relation).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
            card.Append(CultureInfo.InvariantCulture, $"- {relation}\n");
        card.Append(CultureInfo.InvariantCulture, $"---\n\n# {name}\n\n");
        if (description.Length > 0)
            card.Append(description.ReplaceLineEndings("\n").Trim()).Append("\n\n");
        card.Append(CultureInfo.InvariantCulture, $"Manifest root `{model.Root.Hex}`, {model.SizeBytes:N0} bytes.\n");
        if (metrics.Count > 0)
        {
            card.Append("\n## Metrics\n\n| metric | value |\n|---|---|\n");
            foreach (var (metric, value) in metrics)
                card.Append(CultureInfo.InvariantCulture, $"| {metric} | {value:G6} |\n");
        }
        card.Append("\n## Lineage\n\n");
        foreach (var node in lineage)
        {
            var parents = node.Parents.Select(p => $"{p.Relation} from `{p.Manifest.Short}`");
            var kind = node.Kind is { } known ? WireName(known) : "no longer stored";
            card.Append(CultureInfo.InvariantCulture, $"- `{node.Root.Short}` ({kind}){(node.Parents.Count > 0 ? ": " + string.Join(", ", parents) : "")}\n");
        }
        return card.ToString();
    }

    private static string WireName(ArtifactKind kind) => System.Text.Json.JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString());
}
