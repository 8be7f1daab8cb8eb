using System.Globalization;
using System.Text.RegularExpressions;
using Espalier.Cli.Reports;

namespace Espalier.Cli.Tests.Reports;

public sealed partial class LineageDrawingTests
{
    /// <summary>The quickstart's shape: long lines over several columns, some of them from one step.</summary>
    private static readonly LineageBox[] Boxes =
    [
        Box("data"), Box("base", "data"), Box("continued", "data", "base"), Box("grown", "base"), Box("cpt", "grown", "data"), Box("scratch", "data"),
        Box("slim", "cpt", "data"), Box("int4", "slim", "data"), Box("scores", "base", "continued", "cpt", "scratch", "slim", "int4", "data"),
        Box("release", "int4", "scores"),
    ];

    [Fact]
    public void Draw_LinesOverSeveralColumns_RunThroughNoBox()
    {
        var places = LineageDrawing.Place(Boxes);
        var boxes = places.Where(p => p.Key.Lane is null).Select(p => p.Value).ToList();

        var lines = LineageDrawing.Lines(Boxes, places).ToList();

        lines.Count.ShouldBeGreaterThan(Boxes.Sum(b => b.Parents.Count));
        foreach (var (x, y) in lines.SelectMany(PointsOf))
            boxes.ShouldNotContain(b => x > b.X + 0.5 && x < b.X + 141.5 && y > b.Y && y < b.Y + b.Height, $"a line at {x}, {y}");
    }

    [Fact]
    public void Place_BoxesAndLanesOfAColumn_StandApart()
    {
        foreach (var column in LineageDrawing.Place(Boxes).Values.GroupBy(p => p.X))
        {
            var ordered = column.OrderBy(p => p.Y).ToList();
            foreach (var (above, below) in ordered.Zip(ordered.Skip(1)))
                below.Y.ShouldBeGreaterThan(above.Y + above.Height);
        }
    }

    private static LineageBox Box(string name, params string[] parents) => new(name, "train", "", parents, "succeeded");

    /// <summary>Points along <c>M x y C ... x y [L x y]</c>, close together.</summary>
    private static IEnumerable<(double X, double Y)> PointsOf(string path)
    {
        var n = Number().Matches(path).Select(m => double.Parse(m.Value, CultureInfo.InvariantCulture)).ToArray();
        for (var i = 0; i <= 200; i++)
        {
            var (t, u) = (i / 200.0, 1 - i / 200.0);
            yield return (Bezier(n[0], n[2], n[4], n[6]), Bezier(n[1], n[3], n[5], n[7]));
            if (n.Length > 8)
                yield return (u * n[6] + t * n[8], u * n[7] + t * n[9]);

            double Bezier(double a, double b, double c, double d) => u * u * u * a + 3 * u * u * t * b + 3 * u * t * t * c + t * t * t * d;
        }
    }

    [GeneratedRegex(@"-?\d+(\.\d+)?")]
    private static partial Regex Number();
}
