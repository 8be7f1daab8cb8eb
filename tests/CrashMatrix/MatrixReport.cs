using System.Globalization;
using System.Net;
using System.Text;
using System.Text.Json;
using Espalier.Contracts;

namespace Espalier.CrashMatrix;

/// <summary>The report: lines for a terminal, one self-contained HTML file.</summary>
internal static class MatrixReport
{
    /// <summary>One point.</summary>
    public static string Line(PointOutcome outcome) => string.Create(CultureInfo.InvariantCulture,
        $"{outcome.Point.Number,4}  {(outcome.IsGood ? "ok  " : "FAIL")}  {outcome.Duration.TotalSeconds,5:0.0} s  +{outcome.ExtraAttempts} "
            + $"attempts  {outcome.ExtraUnits,2} units  {outcome.Point.Store,-7} "
            + $"{outcome.Point.What}{(outcome.IsGood ? "" : "  " + string.Join("; ", outcome.Complaints))}");

    /// <summary>What was struck how, and how it went.</summary>
    public static IEnumerable<string> Summary(IReadOnlyList<PointOutcome> outcomes)
    {
        foreach (var group in Groups(outcomes))
        {
            var times = group.Select(o => o.Duration.TotalSeconds).Order().ToList();
            yield return string.Create(CultureInfo.InvariantCulture,
                $"{group.Key,-34} {group.Count(),4} points  {group.Count(o => o.IsGood),4} good  run {times[times.Count / 2],5:0.0} s "
                    + $"median {times[^1],5:0.0} s longest  {group.Sum(o => o.ExtraAttempts),4} more attempts  "
                    + $"{group.Sum(o => Math.Max(0, o.ExtraUnits)),4} units again");
        }
        yield return $"{outcomes.Count} points, {outcomes.Count(o => o.IsGood)} good, {outcomes.Count(o => !o.IsGood)} not";
    }

    /// <summary>The HTML file.</summary>
    public static string Html(IReadOnlyList<PointOutcome> outcomes, int seed)
    {
        var html = new StringBuilder();
        html.Append(
            """
            <!doctype html><html lang="en"><meta charset="utf-8"><title>Crash matrix</title><style>
            body{font:14px system-ui;margin:2em;color:#222} table{border-collapse:collapse} code{font-size:13px}
            td,th{padding:3px 9px;border-bottom:1px solid #ddd;text-align:left} td.n{text-align:right;font-variant-numeric:tabular-nums}
            .ok{background:#d9f2dd} .bad{background:#f7c9c9}
            </style>
            """);
        html.Append(
            CultureInfo.InvariantCulture,
            $"<h1>Crash matrix</h1><p>{outcomes.Count} points from seed {seed}; {outcomes.Count(o => o.IsGood)} kept every promise: the run "
                + $"ended well, its artifacts are bit for bit those of an undisturbed run, every step succeeded once, one version is "
                + $"registered, and no more than one unit of work was done again for each lost attempt.</p>");
        html.Append("<table><tr><th>family<th>points<th>good<th>run, median s<th>longest s<th>more attempts<th>units again");
        foreach (var group in Groups(outcomes))
        {
            var times = group.Select(o => o.Duration.TotalSeconds).Order().ToList();
            html.Append(
                CultureInfo.InvariantCulture,
                $"<tr class=\"{(group.All(o => o.IsGood) ? "ok" : "bad")}\"><td>{group.Key}<td class=n>{group.Count()}<td class=n>{group.Count(o => o.IsGood)}"
                    + $"<td class=n>{times[times.Count / 2]:0.0}<td class=n>{times[^1]:0.0}"
                    + $"<td class=n>{group.Sum(o => o.ExtraAttempts)}<td class=n>{group.Sum(o => Math.Max(0, o.ExtraUnits))}");
        }
        html.Append("</table><h2>Points</h2><table><tr><th>#<th>store<th>what happened<th>outcome<th>run s<th>more attempts<th>units again<th>complaints");
        foreach (var o in outcomes.OrderBy(o => o.Point.Number))
            html.Append(
                CultureInfo.InvariantCulture,
                $"<tr class=\"{(o.IsGood ? "ok" : "bad")}\"><td class=n>{o.Point.Number}<td>{o.Point.Store}"
                    + $"<td><code>{WebUtility.HtmlEncode(o.Point.What)}</code><td>{(o.IsGood ? "good" : "broken")}"
                    + $"<td class=n>{o.Duration.TotalSeconds:0.0}<td class=n>{o.ExtraAttempts}<td class=n>{o.ExtraUnits}"
                    + $"<td>{WebUtility.HtmlEncode(string.Join("; ", o.Complaints))}");
        return html.Append("</table></html>").ToString();
    }

    /// <summary>The file that the portal shows.</summary>
    public static string Json(IReadOnlyList<PointOutcome> outcomes, int seed) => JsonSerializer.Serialize(
        new
        {
            Seed = seed,
            Points = outcomes.OrderBy(o => o.Point.Number).Select(o => new
            {
                o.Point.Number, Family = FamilyOf(o), Store = o.Point.Store.ToString(), o.Point.What, o.IsGood,
                Seconds = o.Duration.TotalSeconds, o.ExtraAttempts, o.ExtraUnits, o.Complaints,
            }),
        }, WireJson.Options);

    private static IEnumerable<IGrouping<string, PointOutcome>> Groups(IReadOnlyList<PointOutcome> outcomes) =>
        outcomes.GroupBy(FamilyOf).OrderBy(g => g.Key, StringComparer.Ordinal);

    private static string FamilyOf(PointOutcome outcome) => outcome.Point switch
    {
        { Disruption: Disruption.Fault, Target: PointGenerator.Orchestrator } p => $"orchestrator, {Action(p)} at a boundary",
        { Disruption: Disruption.Fault } p when p.Fault.Contains("-work@", StringComparison.Ordinal) => $"work process, {Action(p)} at a boundary",
        { Disruption: Disruption.Fault } p => $"worker, {Action(p)} at a boundary",
        var p => $"{p.Disruption}",
    };

    private static string Action(CrashPoint point) => point.Fault[(point.Fault.LastIndexOf(':') + 1)..];
}
