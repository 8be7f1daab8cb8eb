using System.Globalization;
using System.Net;
using System.Text;
using Espalier.Orchestrator.Results;
using Espalier.Study;

namespace Espalier.Cli.Reports;

/// <summary>What the HTML page shows.</summary>
internal sealed record ReportContent
{
    public required RunSummary Run { get; init; }
    public required ReportOrigin Origin { get; init; }
    public required IReadOnlyList<ModelRow> Rows { get; init; }
    public required IReadOnlyList<LossCurve> Curves { get; init; }
    public IReadOnlyList<LossCurve> Expected { get; init; } = [];
    public IReadOnlyList<LossCurve> HeldOut { get; init; } = [];
    public required IReadOnlyList<ExpertLoad> Loads { get; init; }
    public required IReadOnlyList<LineageBox> Lineage { get; init; }
    public required IReadOnlyList<string> Verdict { get; init; }
    public double? XzBitsPerByte { get; init; }
    public GrowthStudy? Study { get; init; }
    public string? Table { get; init; }
}

/// <summary>The run as one HTML file: no script, font or picture from elsewhere.</summary>
internal static class HtmlReport
{
    private const string Style =
        """
        :root{color-scheme:light dark;--ink:#1d2b26;--paper:#fbfcfa;--soft:#5d6b66;--line:#d9dfdb;--green:#1b7f5c}
        @media(prefers-color-scheme:dark){:root{--ink:#e4ebe7;--paper:#161c1a;--soft:#9aa8a2;--line:#34403b;--green:#5cc59c}}
        body{font:15px/1.5 system-ui,sans-serif;color:var(--ink);background:var(--paper);max-width:1000px;margin:2rem auto;padding:0 1rem}
        h1{margin:0 0 .2rem}h2{margin:2.2rem 0 .6rem;font-size:1.15rem}p.sub{color:var(--soft);margin:0 0 1rem}
        .wide{overflow-x:auto}table{border-collapse:collapse;font-variant-numeric:tabular-nums;width:100%}
        th,td{padding:.35rem .6rem;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap}
        th:first-child,td:first-child{text-align:left}tr.best td{font-weight:600}
        svg{width:100%;height:auto;display:block}svg text{font:11px system-ui,sans-serif;fill:var(--ink)}svg .axis{fill:var(--soft)}
        pre{overflow-x:auto;font-size:.82rem;line-height:1.45;padding:.8rem 1rem;border:1px solid var(--line);border-radius:6px}
        dl{display:grid;grid-template-columns:max-content 1fr;gap:.15rem 1rem;margin:.6rem 0}dt{color:var(--soft)}dd{margin:0;overflow-wrap:anywhere}
        svg .strong{font-weight:600;font-size:12px}svg .grid{stroke:var(--line);stroke-width:1}
        svg .edge{fill:none;stroke:var(--soft);stroke-width:1.2}svg .box{fill:var(--paper);stroke:var(--green);stroke-width:1.4}
        svg .box.cached{stroke-dasharray:5 3}svg .box.failed{stroke:#b23a3a}svg .box.skipped,svg .box.cancelled{stroke:var(--line)}
        .wide svg{min-width:72rem}figure{margin:1rem 0}figcaption{color:var(--soft);font-size:.85rem}code{font-size:.85em}
        """;

    private const int MostExpected = 4; // curves that can be told apart beside as many others

    public static string Write(ReportContent content)
    {
        var page = new StringBuilder();
        page.Append("<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width,initial-scale=1\">")
            .Append("<link rel=\"icon\" href=\"data:,\">")
            .Append(CultureInfo.InvariantCulture, $"<title>{Encode(content.Run.Name)}</title><style>{Style}</style></head><body>")
            .Append(CultureInfo.InvariantCulture, $"<h1>{Encode(content.Origin.Run.Label)}</h1>")
            .Append(CultureInfo.InvariantCulture, $"<p class=\"sub\">{Encode(content.Run.State.ToString().ToLowerInvariant())} after ")
            .Append(CultureInfo.InvariantCulture, $"{content.Run.Duration.TotalSeconds:0.0} s on ")
            .Append(CultureInfo.InvariantCulture, $"{content.Origin.Run.Created.UtcDateTime:yyyy-MM-dd HH:mm} UTC</p>");
        if (content.Verdict.Count > 0)
            page.Append("<ul>").AppendJoin("", content.Verdict.Select(line => $"<li>{Encode(line)}</li>")).Append("</ul>");
        if (content.Study is { } study)
            page.Append("<h2>Growing</h2><figure>").Append(StudyPlot.Draw(study)).Append("</figure><div class=\"wide\">").Append(StudyTable.Html(study))
                .Append(CultureInfo.InvariantCulture, $"</div><p class=\"sub\">{Encode(StudyTable.Notes)}</p>");
        page.Append("<h2>Models</h2><div class=\"wide\">").Append(Table(content)).Append("</div>");
        page.Append("<h2>Training loss</h2>").Append(LossChart.Draw(content.Curves));
        if (content.Expected.Count is > 0 and <= MostExpected)
            page.Append("<p class=\"sub\">Beside what was expected half way, by the law of annealing (arXiv 2408.11029).</p>")
                .Append(LossChart.Draw([.. content.Curves.Where(HasExpectation), .. content.Expected]));
        if (content.HeldOut.Count > 0)
            page.Append("<h2>Held-out loss while training</h2>").Append(LossChart.Draw(content.HeldOut));

        bool HasExpectation(LossCurve curve) => content.Expected.Any(e => e.Name.StartsWith(curve.Name + ",", StringComparison.Ordinal));
        if (content.Loads.Count > 0)
        {
            page.Append(
                "<h2>Expert load on held-out text</h2><p class=\"sub\">One cell per layer and expert; darker means more tokens. Hover for numbers.</p>");
            foreach (var load in content.Loads)
                page.Append(CultureInfo.InvariantCulture, $"<figure>{LoadHeatMap.Draw(load)}<figcaption>{Encode(load.Model)}</figcaption></figure>");
        }
        page.Append("<h2>Lineage</h2><div class=\"wide\">").Append(LineageDrawing.Draw(content.Lineage)).Append("</div>");
        page.Append("<h2>Steps</h2><div class=\"wide\">").Append(Steps(content.Run)).Append("</div>")
            .Append(How(content)).Append("</body></html>");
        return page.ToString();
    }

    private static string Table(ReportContent content)
    {
        var best = content.Rows.Where(r => r.Loss is not null).MinBy(r => r.Loss);
        var table = new StringBuilder(
            "<table><thead><tr><th>model</th><th>parameters</th><th>active</th><th>stored</th><th>new in store</th><th>held-out loss (95 %)</th>"
                + "<th>bits/byte</th><th>tokens/s</th></tr></thead><tbody>");
        foreach (var row in content.Rows)
        {
            table.Append(row == best ? "<tr class=\"best\">" : "<tr>");
            string[] cells =
            [
                row.Model, ResultText.Count(row.TotalParameters), ResultText.Count(row.ActiveParameters), ResultText.Bytes(row.StoredBytes),
                ResultText.Bytes(row.NewBytes), RunTable.Loss(row),
                row.BitsPerByte?.ToString("0.000", CultureInfo.InvariantCulture) ?? "-",
                row.TokensPerSecond?.ToString("N0", CultureInfo.InvariantCulture) ?? "-",
            ];
            table.AppendJoin("", cells.Select(cell => $"<td>{Encode(cell)}</td>")).Append("</tr>");
        }
        if (content.XzBitsPerByte is { } xz)
            table.Append(
                CultureInfo.InvariantCulture,
                $"<tr><td>xz -9 (same text)</td><td>-</td><td>-</td><td>-</td><td>-</td><td>-</td><td>{xz:0.000}</td><td>-</td></tr>");
        return table.Append("</tbody></table>").ToString();
    }

    private static string Steps(RunSummary run)
    {
        var table = new StringBuilder(
            "<table><thead><tr><th>step</th><th>kind</th><th>state</th><th>seconds</th><th>peak memory</th><th>key</th></tr></thead><tbody>");
        foreach (var step in run.Steps)
        {
            string[] cells =
            [
                step.Name, step.Kind, step.State.ToString().ToLowerInvariant(), step.Duration.TotalSeconds.ToString("0.0", CultureInfo.InvariantCulture),
                step.PeakMemoryBytes > 0 ? ResultText.Bytes(step.PeakMemoryBytes) : "-", step.Key.IsEmpty ? "-" : step.Key.Short,
            ];
            table.Append("<tr>").AppendJoin("", cells.Select(cell => $"<td>{Encode(cell)}</td>")).Append("</tr>");
        }
        return table.Append("</tbody></table>").ToString();
    }

    /// <summary>What is needed to do it again: where it ran, parameters (the seed among them), and the file.</summary>
    private static StringBuilder How(ReportContent content)
    {
        var facts = new List<(string Name, string Value)>
        {
            ("run", $"{content.Run.RunId}"),
            ("machine", ReportOrigin.Machine),
        };
        var parameters = content.Origin.Source?.Parameters ?? new Dictionary<string, string>();
        facts.AddRange(parameters.OrderBy(p => p.Key, StringComparer.Ordinal).Select(p => (p.Key, p.Value)));
        var text = new StringBuilder("<h2>How it was made</h2><dl>")
            .AppendJoin("", facts.Select(f => $"<dt>{Encode(f.Name)}</dt><dd>{Encode(f.Value)}</dd>")).Append("</dl>");
        if (content.Origin.Source is { } source)
            text.Append(CultureInfo.InvariantCulture, $"<p class=\"sub\">{Encode(source.FileName)}</p><pre>{Encode(source.Pipeline)}</pre>");
        return text;
    }

    private static string Encode(string text) => WebUtility.HtmlEncode(text);
}
