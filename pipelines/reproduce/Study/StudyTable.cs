using System.Globalization;
using System.Net;
using System.Text;

namespace Espalier.Study;

/// <summary>The study's table, for a page and for a Markdown file, and what it says in sentences.</summary>
public static class StudyTable
{
    private static readonly string[] Columns =
    [
        "arm", "grown at", "tokens", "held-out loss (seeds)", "gap closed (95 %)", "loss against the small one", "loss against the first grown arm",
        "training seconds", "seconds against large", "seconds saved at equal loss", "FLOPs",
    ];

    /// <summary>The table as HTML.</summary>
    public static string Html(GrowthStudy study)
    {
        var table = new StringBuilder("<table><thead><tr>").AppendJoin("", Columns.Select(c => $"<th>{c}</th>")).Append("</tr></thead><tbody>");
        foreach (var row in study.Rows)
            table.Append("<tr>").AppendJoin("", Cells(row).Select(c => $"<td>{WebUtility.HtmlEncode(c)}</td>")).Append("</tr>");
        return table.Append("</tbody></table>").ToString();
    }

    /// <summary>The study as a Markdown file.</summary>
    /// <param name="study">The study.</param>
    /// <param name="title">Its heading.</param>
    /// <param name="picture">File name of the plot beside it.</param>
    public static string Markdown(GrowthStudy study, string title, string picture)
    {
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"# {title}\n\n");
        foreach (var sentence in Sentences(study))
            text.Append(CultureInfo.InvariantCulture, $"- {sentence}\n");
        text.Append(CultureInfo.InvariantCulture, $"\n![held-out loss against training seconds and FLOPs]({picture})\n\n");
        text.Append("| ").AppendJoin(" | ", Columns).Append(" |\n|").AppendJoin("|", Columns.Select((_, i) => i == 0 ? "---" : "---:")).Append("|\n");
        foreach (var row in study.Rows)
            text.Append("| ").AppendJoin(" | ", Cells(row)).Append(" |\n");
        return text.Append('\n').Append(Notes).Append('\n').ToString();
    }

    /// <summary>How the numbers were made.</summary>
    public const string Notes =
        "Losses are nats per token on the same held-out text; differences, closures and intervals are paired by seed (Student's t; for ratios " +
        "Fieller's interval, none where the gap itself may be 0). Every arm reads the same tokens in the same order, and every budget ends " +
        "with a decay of the learning rate of its own. Seconds are wall time of the steps that trained and grew a model, ancestors and " +
        "scoring passes included, on one machine; FLOPs are 6 x active weights x tokens. Seconds saved at equal loss interpolate between the " +
        "budgets of the large model from scratch.";

    /// <summary>What the numbers say, in sentences.</summary>
    public static IReadOnlyList<string> Sentences(GrowthStudy study)
    {
        var lines = new List<string>();
        foreach (var tokens in study.Rows.Where(r => r.Closure is not null && r.Gap is not null).Select(r => r.Arm.First.Tokens).Distinct().Order())
        {
            var gap = study.Gap(tokens)!.Value;
            var larger = new Estimate(-gap.Value, -gap.High, -gap.Low);
            lines.Add(
                $"After {Count(tokens)} tokens the large model from scratch is {Signed(larger.Value)} nats against the small one, "
                + $"{Interval(larger, Signed)} over {study.Seeds} seeds"
                + (gap.Low > 0 ? "." : ": there is no clear gap to close at this budget."));
            var best = study.Rows.Where(r => r.Closure is not null && r.Arm.First.Tokens == tokens).MinBy(r => r.Arm.Loss)!;
            if (gap.Low > 0)
            {
                var closure = best.Closure!.Value;
                lines.Add(
                    $"The best grown arm there is {best.Arm.Name}: it closes {Share(closure.Value)} of the gap, {Interval(closure, Share)}"
                    + (best.SavedShare is { } saved ? $", in {Share(saved.Value)} less time than the large one." : "."));
            }
        }
        foreach (var (arm, difference) in study.Rows.Where(r => r.AgainstFirst is { IsClear: true }).Select(r => (r.Arm, r.AgainstFirst!.Value)))
            lines.Add(
                $"{arm.Name} differs clearly from the first grown arm of its transition and budget: {Signed(difference.Value)} nats, "
                + $"{Interval(difference, Signed)}.");
        if (study.Rows.Any(r => r.AgainstFirst is not null) && !study.Rows.Any(r => r.AgainstFirst is { IsClear: true }))
            lines.Add("No way of growing differs clearly from the first grown arm of its transition and budget.");
        return lines;
    }

    private static string[] Cells(StudyRow row) =>
    [
        row.Arm.Name,
        row.Arm.First.GrownAt is { } at ? Count(at) : "-",
        Count(row.Arm.First.Tokens),
        string.Create(
            CultureInfo.InvariantCulture, $"{row.Arm.Loss:0.0000} ({row.Arm.Models.Min(m => m.Loss):0.000}-{row.Arm.Models.Max(m => m.Loss):0.000})"),
        row.Closure is not { } closure ? "-" : row.Gap is { Low: > 0 } ? $"{Share(closure.Value)} {Interval(closure, Share)}" : "no clear gap",
        row.AgainstSmall is { } gained ? $"{Signed(gained.Value)} {Interval(gained, Signed)}" : "-",
        row.AgainstFirst is { } difference ? $"{Signed(difference.Value)} {Interval(difference, Signed)}" : "-",
        row.Arm.Seconds.ToString("0.0", CultureInfo.InvariantCulture),
        row.SavedShare is { } share ? $"{-share.Value:+0 %;-0 %;0 %}" : "-",
        row.SavedSeconds is { } saved ? string.Create(CultureInfo.InvariantCulture, $"{(saved.IsAtLeast ? "at least " : "")}{saved.Seconds:0.0}") : "-",
        row.Arm.Operations.ToString("0.00e+0", CultureInfo.InvariantCulture),
    ];

    private static string Interval(Estimate estimate, Func<double, string> format) =>
        estimate is { Low: { } low, High: { } high } ? $"[{format(low)}, {format(high)}]" : "[unbounded]";

    /// <summary>A difference with its sign and four decimals; what rounds to zero has no sign.</summary>
    internal static string Signed(double value) => (Math.Round(value, 4) + 0.0).ToString("+0.0000;-0.0000;0.0000", CultureInfo.InvariantCulture);

    private static string Share(double value) => value.ToString("0 %", CultureInfo.InvariantCulture);

    private static string Count(double value) => value switch
    {
        >= 1e9 => string.Create(CultureInfo.InvariantCulture, $"{value / 1e9:0.00}B"),
        >= 1e6 => string.Create(CultureInfo.InvariantCulture, $"{value / 1e6:0.00}M"),
        >= 1e3 => string.Create(CultureInfo.InvariantCulture, $"{value / 1e3:0.0}k"),
        _ => value.ToString("0", CultureInfo.InvariantCulture),
    };
}
