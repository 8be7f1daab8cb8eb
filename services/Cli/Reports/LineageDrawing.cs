namespace Espalier.Cli.Reports;

/// <summary>One box of the lineage drawing.</summary>
/// <param name="Name">Step name.</param>
/// <param name="Kind">Stage kind.</param>
/// <param name="Detail">Second line: parameters or state.</param>
/// <param name="Parents">Names of the steps it was made from.</param>
/// <param name="State">CSS class: <c>succeeded</c>, <c>cached</c>, <c>failed</c>, <c>skipped</c>.</param>
internal sealed record LineageBox(string Name, string Kind, string Detail, IReadOnlyList<string> Parents, string State);

/// <summary>Draws steps from left to right, each column one step further from the sources.</summary>
internal static class LineageDrawing
{
    private const double BoxWidth = 142, BoxHeight = 46, GapX = 46, GapY = 16, Margin = 6;

    public static string Draw(IReadOnlyList<LineageBox> boxes)
    {
        var byName = boxes.ToDictionary(b => b.Name);
        var column = new Dictionary<string, int>();
        foreach (var box in boxes) // pipeline order: parents come first
            column[box.Name] = 1 + box.Parents.Where(column.ContainsKey).Select(p => column[p]).DefaultIfEmpty(-1).Max();
        var place = new Dictionary<string, (double X, double Y)>();
        var columns = boxes.GroupBy(b => column[b.Name]).OrderBy(g => g.Key).ToList();
        var rows = columns.Max(c => c.Count());
        foreach (var group in columns)
        {
            // Boxes stand near their parents, so that few lines cross.
            var ordered = group.OrderBy(b => b.Parents.Where(place.ContainsKey).Select(p => place[p].Y).DefaultIfEmpty(0).Average()).ToList();
            var top = (rows - ordered.Count) * (BoxHeight + GapY) / 2;
            for (var i = 0; i < ordered.Count; i++)
                place[ordered[i].Name] = (Margin + group.Key * (BoxWidth + GapX), Margin + top + i * (BoxHeight + GapY));
        }

        var svg = new Svg(2 * Margin + columns.Count * (BoxWidth + GapX) - GapX, 2 * Margin + rows * (BoxHeight + GapY) - GapY, "lineage");
        foreach (var box in boxes)
        {
            foreach (var parent in box.Parents.Where(byName.ContainsKey))
                svg.Path(Curve(place[parent], place[box.Name]), "edge");
        }
        foreach (var box in boxes)
        {
            var (x, y) = place[box.Name];
            svg.Rectangle(x, y, BoxWidth, BoxHeight, $"rx=\"6\" class=\"box {box.State}\"", $"{box.Name}: {box.Kind}, {box.Detail}")
                .Text(x + 10, y + 19, Cut(box.Name, 18), "label strong").Text(x + 10, y + 36, Cut($"{box.Kind} {box.Detail}", 22), "axis");
        }
        return svg.ToString();
    }

    private static string Curve((double X, double Y) from, (double X, double Y) to)
    {
        var (x1, y1, x2, y2) = (from.X + BoxWidth, from.Y + BoxHeight / 2, to.X, to.Y + BoxHeight / 2);
        var bend = (x1 + x2) / 2;
        return $"M{Svg.Number(x1)} {Svg.Number(y1)} C{Svg.Number(bend)} {Svg.Number(y1)} {Svg.Number(bend)} {Svg.Number(y2)} {Svg.Number(x2)} {Svg.Number(y2)}";
    }

    private static string Cut(string text, int length) => text.Length <= length ? text : text[..(length - 1)] + "…";
}
