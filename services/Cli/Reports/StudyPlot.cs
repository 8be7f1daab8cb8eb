using System.Globalization;
using Espalier.Study;

namespace Espalier.Cli.Reports;

/// <summary>
/// Held-out loss against training seconds and against FLOPs: a point per arm, a bar from its best to its worst seed, a line
/// through the budgets of one recipe.
/// </summary>
internal static class StudyPlot
{
    private const double Width = 980, Height = 430, Top = 28, Bottom = 46, PanelWidth = 350, Legend = 800;

    private static readonly double[] Lefts = [58, 438];
    private static readonly string[] Colors =
    [
        "#6b6b6b", "#1d2b26", "#1b7f5c", "#b4552d", "#3465a4", "#8b5aa8", "#a08a1e", "#c23b6b", "#4f8f8f", "#7a4b2a",
        "#5fb89a", "#e39a75", "#7ea3d6", "#c3a3d9", "#d1c065", "#e58fb0", "#8fd0d0", "#b98d6e", "#9a9a9a", "#5a3d8a",
    ];

    public static string Draw(GrowthStudy study)
    {
        var losses = study.Arms.SelectMany(a => a.Models).Select(m => m.Loss).ToList();
        var margin = Math.Max((losses.Max() - losses.Min()) * 0.06, 1e-4);
        var (low, high) = (losses.Min() - margin, losses.Max() + margin);
        double Y(double loss) => Top + (high - loss) / (high - low) * (Height - Top - Bottom);

        var svg = new Svg(Width, Height, "held-out loss against training seconds and FLOPs");
        var series = study.Arms.GroupBy(a => a.Series(study.Smallest)).ToList();
        DrawPanel(svg, series, Lefts[0], "training seconds, ancestors included", a => a.Seconds, m => m.Seconds, Y);
        DrawPanel(svg, series, Lefts[1], "training FLOPs, ancestors included", a => a.Operations, m => m.Operations, Y);
        foreach (var tick in Ticks(low, high))
            foreach (var left in Lefts)
                svg.Line(left, Y(tick), left + PanelWidth, Y(tick), "grid")
                    .Text(left - 5, Y(tick) + 4, tick.ToString("0.###", CultureInfo.InvariantCulture), "axis", "end");
        svg.Text(Lefts[0], Top - 10, "held-out loss, nats per token", "axis");
        for (var i = 0; i < series.Count; i++)
            svg.Rectangle(Legend, Top + i * 18, 10, 10, $"fill=\"{Colors[i % Colors.Length]}\"").Text(Legend + 15, Top + 9 + i * 18, series[i].Key, "label");
        return svg.ToString();
    }

    /// <summary>The plot as a stand-alone SVG file.</summary>
    public static string File(GrowthStudy study)
    {
        var drawing = Draw(study);
        var body = drawing.IndexOf('>', StringComparison.Ordinal) + 1; // the attributes hold no '>': they are escaped
        return drawing[..body].Replace("<svg ", "<svg xmlns=\"http://www.w3.org/2000/svg\" ", StringComparison.Ordinal)
            + "<style>text{font:11px sans-serif;fill:#1d2b26}.axis{fill:#5d6b66}.grid{stroke:#d9dfdb}</style><rect "
                + "width=\"100%\" height=\"100%\" fill=\"#fff\"/>"
            + drawing[body..];
    }

    private static void DrawPanel(
        Svg svg, List<IGrouping<string, StudyArm>> series, double left, string label, Func<StudyArm, double> ofArm, Func<StudyModel, double> ofModel,
        Func<double, double> y)
    {
        var spent = series.SelectMany(s => s).SelectMany(a => a.Models).Select(ofModel).ToList();
        var (first, last) = (spent.Min() * 0.9, spent.Max() * 1.04);
        double X(double value) => left + (value - first) / (last - first) * PanelWidth;
        foreach (var tick in Ticks(first, last))
            svg.Line(X(tick), Top, X(tick), Height - Bottom, "grid")
                .Text(X(tick), Height - Bottom + 15, tick.ToString(tick >= 1e6 ? "0.##e+0" : "0.##", CultureInfo.InvariantCulture), "axis", "middle");
        svg.Text(left + PanelWidth / 2, Height - 8, label, "axis", "middle");
        for (var i = 0; i < series.Count; i++)
        {
            var color = Colors[i % Colors.Length];
            var arms = series[i].OrderBy(ofArm).ToList();
            if (arms.Count > 1)
                svg.Polyline(arms.Select(a => (X(ofArm(a)), y(a.Loss))), color);
            foreach (var arm in arms)
            {
                var (best, worst) = (arm.Models.Min(m => m.Loss), arm.Models.Max(m => m.Loss));
                svg.Polyline([(X(ofArm(arm)), y(best)), (X(ofArm(arm)), y(worst))], color)
                    .Rectangle(
                        X(ofArm(arm)) - 3, y(arm.Loss) - 3, 6, 6, $"fill=\"{color}\"",
                        string.Create(CultureInfo.InvariantCulture, $"{arm.Name}: {arm.Loss:0.0000} after {arm.Seconds:0} s"));
            }
        }
    }

    private static IEnumerable<double> Ticks(double from, double to)
    {
        var raw = (to - from) / 5;
        var power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        var step = new[] { 1, 2, 5, 10 }.Select(f => f * power).First(s => s >= raw * 0.999);
        for (var tick = Math.Ceiling(from / step) * step; tick <= to; tick += step)
            yield return tick;
    }
}
