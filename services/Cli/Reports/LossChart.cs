using System.Globalization;

namespace Espalier.Cli.Reports;

/// <summary>One training run's loss by tokens.</summary>
/// <param name="Name">Step name.</param>
/// <param name="Points">Tokens seen in this step and training loss in nats per token.</param>
/// <param name="TokensBefore">Tokens its ancestors had seen, so that curves continue where their parents end.</param>
internal sealed record LossCurve(string Name, IReadOnlyList<(double Tokens, double Loss)> Points, double TokensBefore);

/// <summary>Draws training loss against total tokens, one line a step.</summary>
internal static class LossChart
{
    private const double Width = 860, Height = 360, Left = 56, Right = 170, Top = 16, Bottom = 40, LegendStep = 16;
    private const int LongestName = 24;

    private static readonly string[] Colors = ["#1b7f5c", "#b4552d", "#3465a4", "#8b5aa8", "#a08a1e", "#c23b6b", "#4f8f8f", "#6b6b6b"];

    /// <summary>The chart as SVG.</summary>
    /// <param name="curves">One line each.</param>
    /// <param name="axis">What the curves' tokens are called.</param>
    public static string Draw(IReadOnlyList<LossCurve> curves, string axis = "tokens, ancestors included")
    {
        var drawn = curves.Select(c => c with { Points = Smooth(c.Points) }).Where(c => c.Points.Count > 1).ToList();
        if (drawn.Count == 0)
            return "<p>No training step left a loss curve.</p>";
        var (minimum, maximum) = Range(drawn.SelectMany(c => c.Points.Skip(c.Points.Count / 20)).Select(p => p.Loss));
        var last = drawn.Max(c => c.TokensBefore + c.Points[^1].Tokens);
        double X(double tokens) => Left + tokens / last * (Width - Left - Right);
        double Y(double loss) => Top + (maximum - Math.Clamp(loss, minimum, maximum)) / (maximum - minimum) * (Height - Top - Bottom);

        var svg = new Svg(Width, Height, "training loss by tokens");
        foreach (var tick in Ticks(minimum, maximum))
            svg.Line(Left, Y(tick), Width - Right, Y(tick), "grid")
                .Text(Left - 6, Y(tick) + 4, tick.ToString("0.##", CultureInfo.InvariantCulture), "axis", "end");
        foreach (var tick in Ticks(0, last))
            svg.Line(X(tick), Top, X(tick), Height - Bottom, "grid").Text(X(tick), Height - Bottom + 16, Tokens(tick), "axis", "middle");
        svg.Text((Left + Width - Right) / 2, Height - 6, axis, "axis", "middle").Text(12, Top + 4, "loss", "axis");
        var legend = drawn.Select((c, i) => (c.Name, Color: Colors[i % Colors.Length], Y: Y(c.Points[^1].Loss))).OrderBy(l => l.Y).ToList();
        for (var i = 0; i < drawn.Count; i++)
            svg.Polyline(drawn[i].Points.Select(p => (X(drawn[i].TokensBefore + p.Tokens), Y(p.Loss))), Colors[i % Colors.Length]);
        var below = double.NegativeInfinity;
        var rows = legend.Select(l => below = Math.Max(l.Y, below + LegendStep)).ToArray();
        for (var i = rows.Length - 1; i >= 0; i--) // what would stand below the chart moves up
            rows[i] = Math.Min(rows[i], Height - LegendStep / 2 - (rows.Length - 1 - i) * LegendStep);
        foreach (var ((name, color, _), y) in legend.Zip(rows))
        {
            svg.Rectangle(Width - Right + 8, y - 5, 10, 10, $"fill=\"{color}\"", name)
                .Text(Width - Right + 23, y + 4, name.Length <= LongestName ? name : name[..(LongestName - 1)] + "…", "label");
        }
        return svg.ToString();
    }

    // Moving average over about a sixtieth of the curve: single batches are noisy.
    private static List<(double Tokens, double Loss)> Smooth(IReadOnlyList<(double Tokens, double Loss)> points)
    {
        var window = Math.Max(1, points.Count / 60);
        return [.. points.Select((p, i) => (p.Tokens, points.Skip(Math.Max(0, i - window)).Take(Math.Min(i, window) + 1).Average(q => q.Loss)))];
    }

    private static (double Minimum, double Maximum) Range(IEnumerable<double> values)
    {
        var sorted = values.Where(double.IsFinite).Order().ToList();
        if (sorted.Count == 0)
            return (0, 1);
        var (low, high) = (sorted[0], sorted[^1]);
        var margin = Math.Max((high - low) * 0.05, 1e-3);
        return (low - margin, high + margin);
    }

    private static IEnumerable<double> Ticks(double from, double to)
    {
        var raw = (to - from) / 5;
        var power = Math.Pow(10, Math.Floor(Math.Log10(raw)));
        var step = new[] { 1, 2, 5, 10 }.Select(f => f * power).First(s => s >= raw * 0.999);
        for (var tick = Math.Ceiling(from / step) * step + 0.0; tick <= to; tick += step)
            yield return tick;
    }

    private static string Tokens(double count) => count switch
    {
        >= 1e9 => string.Create(CultureInfo.InvariantCulture, $"{count / 1e9:0.##}B"),
        >= 1e6 => string.Create(CultureInfo.InvariantCulture, $"{count / 1e6:0.##}M"),
        >= 1e3 => string.Create(CultureInfo.InvariantCulture, $"{count / 1e3:0.##}k"),
        _ => count.ToString("0", CultureInfo.InvariantCulture),
    };
}
