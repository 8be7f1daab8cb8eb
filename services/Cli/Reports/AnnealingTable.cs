using System.Globalization;
using System.Text;
using Espalier.Modeling.Training;
using Espalier.Modeling.Training.Annealing;
using Espalier.Orchestrator.Results;
using Espalier.Study;

namespace Espalier.Cli.Reports;

/// <summary>
/// How well the law of annealing, fitted to the curves of one schedule or two, says that of another: for training steps of a seed that
/// differ in their schedule alone. The curves are of the held-out loss where it was measured often enough, which has no noise of batches,
/// else of the training loss, where the end is the last twentieth, real and expected over the same points.
/// </summary>
internal static class AnnealingTable
{
    private const double Ending = 0.05;
    private const double Beginning = 0.2; // of a curve, which is left out of its error

    /// <summary>The table as a Markdown file, or null where there is no such pair.</summary>
    public static string? Markdown(IReadOnlyList<TrainingCurves> curves, string title)
    {
        var rows = new List<(string Fitted, string Held, bool IsHeldBack, int Known, (double End, double Curve, bool IsInside) Error)>();
        foreach (var held in curves)
        {
            var others = curves.Where(curve => IsPair(curve, held)).ToList();
            foreach (var fitted in others.Select(one => new[] { one }).Concat(TwoOf([.. others.Where(other => other != held)])))
            {
                if (Compare(fitted, held) is { } error)
                    rows.Add((string.Join(" and ", fitted.Select(NameOf)), NameOf(held), !fitted.Contains(held), fitted.Length, error));
            }
        }
        if (!rows.Exists(row => row.IsHeldBack))
            return null;
        var text = new StringBuilder().Append(CultureInfo.InvariantCulture, $"# {title}\n\n")
            .Append("| fitted to | says | seeds | error at the end | largest | mean error of the curve | inside the interval |\n")
            .Append("|---|---|---:|---:|---:|---:|---:|\n");
        foreach (var group in rows.OrderBy(row => row.Known).ThenBy(row => row.Fitted, StringComparer.Ordinal).GroupBy(row => (row.Fitted, row.Held)))
            Row(text, group.Key.Fitted, group.Key.Held, [.. group.Select(row => row.Error)]);
        foreach (var group in rows.Where(row => row.IsHeldBack).GroupBy(row => row.Known).OrderBy(group => group.Key))
            Row(text, group.Key == 1 ? "any one" : "any two", "another, held back", [.. group.Select(row => row.Error)]);
        return text.Append("\nErrors are shares of the loss, means of absolute values over seeds. A row that is fitted to what it says shows how well ")
            .Append("the law follows a curve that it knows; the others were held back. The interval is that of the forecast, 95 %.\n").ToString();
    }

    private static IEnumerable<TrainingCurves[]> TwoOf(List<TrainingCurves> curves) =>
        curves.SelectMany((a, i) => curves.Skip(i + 1).Select(b => new[] { a, b }));

    private static string NameOf(TrainingCurves curve) => Name(curve.Schedule!.Kind);

    private static bool IsPair(TrainingCurves a, TrainingCurves b) => a.Schedule is { } x && b.Schedule is { } y && SeedOf(a) == SeedOf(b)
        && (x.Steps, x.Peak, x.WarmUp) == (y.Steps, y.Peak, y.WarmUp) && (a == b || x.Kind != y.Kind) && IsHeldOut(a) == IsHeldOut(b);

    private static string SeedOf(TrainingCurves curve) => StudyModels.Split(curve.Step).Seed;

    private static (double End, double Curve, bool IsInside)? Compare(TrainingCurves[] fitted, TrainingCurves held)
    {
        if (AnnealingFit.Of([.. fitted.Select(curve => new TrainedCurve(curve.Schedule!, PointsOf(curve)))], isContinued: false) is not { } fit)
            return null;
        var points = PointsOf(held).Where(p => p.Step > held.Schedule!.WarmUp).ToList();
        var expected = fit.Law.Along(held.Schedule!, [.. points.Select(p => p.Step)]);
        var last = Math.Max(1, (int)(points.Count * Ending));
        var (real, said) = (points.TakeLast(last).Average(p => p.Loss), expected.TakeLast(last).Average());
        var errors = points.Zip(expected, (p, e) => (p.Step, p.Loss, Expected: e)).Where(p => p.Step > Beginning * held.Schedule!.Steps).Chunk(last)
            .Select(chunk => Math.Abs(chunk.Average(p => p.Expected) / chunk.Average(p => p.Loss) - 1));
        var end = fit.AtEndOf(held.Schedule!);
        var shift = real - said; // from the mean over the ending to the end itself
        return (Math.Abs(said / real - 1), errors.Average(), end.Value + shift >= end.Low && end.Value + shift <= end.High);
    }

    private static bool IsHeldOut(TrainingCurves curve) => curve.HeldOutMean.Count > 2 * AnnealingFit.FewestPoints;

    private static List<CurvePoint> PointsOf(TrainingCurves curve)
    {
        if (IsHeldOut(curve))
            return [.. curve.HeldOutMean.Where(p => p.Step > 0).Select(p => new CurvePoint(p.Step, p.Loss))];
        var every = curve.Points.Count > 1 ? curve.Points[1].Step - curve.Points[0].Step : 1;
        return [.. curve.Points.Select(p => new CurvePoint(p.Step - (every + 1) / 2, p.Loss))];
    }

    private static void Row(StringBuilder text, string fitted, string held, IReadOnlyList<(double End, double Curve, bool IsInside)> errors) => text.Append(
        CultureInfo.InvariantCulture,
        $"| {fitted} | {held} | {errors.Count} | {Percent(errors.Average(e => e.End))} | {Percent(errors.Max(e => e.End))} "
            + $"| {Percent(errors.Average(e => e.Curve))} | {errors.Count(e => e.IsInside)} of {errors.Count} |\n");

    private static string Percent(double share) => share.ToString("0.00 %", CultureInfo.InvariantCulture);

    private static string Name(ScheduleKind kind) => System.Text.Json.JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString());
}
