using System.Globalization;
using System.Text;

namespace Espalier.Study;

/// <summary>
/// The table of a run over several seeds in which nothing was grown: every arm with its held-out loss, and in pairs of a seed against the
/// first arm of the same tokens.
/// </summary>
public static class ArmTable
{
    private const string DomainLoss = "loss.", MaxViolation = "max-violation";
    private const int MostDifferences = 3; // columns; more would not fit a page

    /// <summary>The table as a Markdown file, or null where no arm has two seeds, or none another of its tokens to be compared with.</summary>
    public static string? Markdown(IReadOnlyList<StudyModel> models, string title)
    {
        var arms = models.GroupBy(m => m.Arm).Select(g => new StudyArm(g.Key, [.. g.OrderBy(m => m.Seed, StringComparer.Ordinal)])).ToList();
        if (arms.TrueForAll(arm => arm.Models.Count < 2) || arms.TrueForAll(arm => Reference(arms, arm) is null))
            return null;
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"# {title}\n\n")
            .Append("| arm | tokens | held-out loss (seeds) | compared with | difference (95 %) | FLOPs |\n|---|---:|---:|---|---:|---:|\n");
        foreach (var arm in arms)
        {
            var reference = Reference(arms, arm);
            text.Append(CultureInfo.InvariantCulture, $"| {arm.Name} | {arm.First.Tokens:N0} | {arm.Loss:0.0000} ")
                .Append(CultureInfo.InvariantCulture, $"({arm.Models.Min(m => m.Loss):0.0000}-{arm.Models.Max(m => m.Loss):0.0000}) | ")
                .Append(CultureInfo.InvariantCulture, $"{reference?.Name ?? "-"} | {(reference is null ? "-" : Difference(arm, reference, m => m.Loss))} | ")
                .Append(CultureInfo.InvariantCulture, $"{arm.Operations:0.00e+0} |\n");
        }
        text.Append("\nLosses are nats per token on the same held-out text; differences are paired by seed, with Student's t. ")
            .Append("FLOPs are those of training, ancestors included.\n");
        AddMeasured(text, arms);
        return text.ToString();
    }

    // The domains, where there are several, and how unevenly experts are used, where that was measured.
    private static void AddMeasured(StringBuilder text, List<StudyArm> arms)
    {
        var measured = arms.SelectMany(arm => arm.First.Measured.Keys).Distinct().ToList();
        // What all of a corpus loses stands in the first table.
        var domains = measured.Where(name => name.StartsWith(DomainLoss, StringComparison.Ordinal)
            && arms.Exists(arm => arm.Models.Any(m => m.Measured.GetValueOrDefault(name) != m.Loss))).ToList();
        var columns = (domains.Count > 1 ? domains : []).Concat(measured.Where(name => name == MaxViolation)).ToList();
        if (columns.Count == 0)
            return;
        text.Append(CultureInfo.InvariantCulture, $"\n| arm | {string.Join(" | ", columns)} |\n|---|{string.Concat(columns.Select(_ => "---:|"))}\n");
        foreach (var arm in arms)
        {
            var reference = Reference(arms, arm);
            var cells = columns.Select(column => Mean(arm, column) is not { } mean ? "-"
                : string.Create(CultureInfo.InvariantCulture, $"{mean:0.0000}")
                    + (reference is null || columns.Count > MostDifferences ? ""
                        : $" ({Difference(arm, reference, m => m.Measured.GetValueOrDefault(column, double.NaN))})"));
            text.Append(CultureInfo.InvariantCulture, $"| {arm.Name} | {string.Join(" | ", cells)} |\n");
        }
        text.Append(columns.Count > MostDifferences ? "\nMeans over seeds.\n"
            : "\nMeans over seeds, in brackets the difference from the arm that the first table compares with, 95 %.\n");
    }

    private static double? Mean(StudyArm arm, string measured) =>
        arm.Models.All(model => model.Measured.ContainsKey(measured)) ? arm.Models.Average(model => model.Measured[measured]) : null;

    private static StudyArm? Reference(List<StudyArm> arms, StudyArm arm) =>
        arms.TakeWhile(other => other != arm).FirstOrDefault(other => Math.Abs(other.First.Tokens - arm.First.Tokens) < 1);

    private static string Difference(StudyArm arm, StudyArm reference, Func<StudyModel, double> measure)
    {
        var pairs = arm.Models.Join(reference.Models, m => m.Seed, m => m.Seed, (a, b) => measure(a) - measure(b)).ToList();
        if (pairs.Count == 0)
            return "-";
        var estimate = Estimate.Mean(pairs);
        var interval = estimate.Low is { } low && estimate.High is { } high ? $" [{StudyTable.Signed(low)}, {StudyTable.Signed(high)}]" : "";
        return StudyTable.Signed(estimate.Value) + interval;
    }
}
