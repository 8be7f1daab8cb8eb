using System.Text.Json;

namespace Espalier.Deployment.Tests.Tools;

/// <summary>What a query reads.</summary>
/// <param name="Problem">Why it is no PromQL; empty when it is.</param>
/// <param name="Metrics">Names of metrics, each with the labels that it is selected by.</param>
/// <param name="Groups">Labels that it groups or joins by.</param>
internal sealed record Query(string Problem, IReadOnlyList<QueriedMetric> Metrics, IReadOnlyList<string> Groups);

/// <summary>One metric of a query.</summary>
internal sealed record QueriedMetric(string Name, IReadOnlyList<string> Labels);

/// <summary>Reads PromQL with the grammar of Prometheus' own user interface, from npm.</summary>
internal static class PromQl
{
    private const string Script = """
        import { parser } from '@prometheus-io/lezer-promql';
        const text = process.argv[2], metrics = [], groups = [];
        let problem = '';
        const cut = node => text.slice(node.from, node.to);
        parser.parse(text).iterate({ enter: node => {
          if (node.type.isError) problem ||= `at ${node.from}: '${cut(node)}'`;
          if (node.name === 'VectorSelector') {
            const labels = [];
            node.node.getChild('LabelMatchers')?.getChildren('UnquotedLabelMatcher').forEach(m => labels.push(cut(m.getChild('LabelName'))));
            metrics.push({ name: cut(node.node.getChild('Identifier')), labels });
          }
          if (node.name === 'GroupingLabels') node.node.getChildren('LabelName').forEach(l => groups.push(cut(l)));
        } });
        console.log(JSON.stringify({ problem, metrics, groups }));
        """;

    private static readonly JsonSerializerOptions CamelCase = new(JsonSerializerDefaults.Web);
    private static readonly Lazy<string> Folder = new(() => ToolFolder.Install("promql-0.315.0", folder =>
    {
        File.WriteAllText(Path.Combine(folder, "package.json"), """{ "private": true }""");
        Tool.Run(
            "npm",
            [
                "install", "--no-audit", "--no-fund", "--ignore-scripts", "--loglevel=error", "@prometheus-io/lezer-promql@0.315.0", "@lezer/lr@1.4.12",
                "@lezer/common@1.5.5", "@lezer/highlight@1.2.5",
            ], folder);
        File.WriteAllText(Path.Combine(folder, "read.mjs"), Script);
    }));

    /// <summary>Reads one query.</summary>
    public static Query Read(string text) =>
        JsonSerializer.Deserialize<Query>(Tool.Run("node", [Path.Combine(Folder.Value, "read.mjs"), text]), CamelCase)!;
}
