namespace Espalier.Cli.Reports;

/// <summary>One box of the lineage drawing.</summary>
/// <param name="Name">Step name.</param>
/// <param name="Kind">Stage kind.</param>
/// <param name="Detail">Second line: parameters or state.</param>
/// <param name="Parents">Names of the steps it was made from.</param>
/// <param name="State">CSS class: <c>succeeded</c>, <c>cached</c>, <c>failed</c>, <c>skipped</c>.</param>
internal sealed record LineageBox(string Name, string Kind, string Detail, IReadOnlyList<string> Parents, string State);

/// <summary>
/// Draws steps from left to right, each column one step further from the sources. A line over several columns has a lane of its own in
/// each of them, which all lines of one step share, so that none runs through a box.
/// </summary>
internal static class LineageDrawing
{
    private const double BoxWidth = 142, BoxHeight = 46, LaneHeight = 6, GapX = 46, GapY = 16, Margin = 6;

    public static string Draw(IReadOnlyList<LineageBox> boxes)
    {
        var places = Place(boxes);
        var svg = new Svg(
            places.Max(p => p.Value.X) + BoxWidth + Margin, places.Max(p => p.Value.Y + p.Value.Height) + Margin, "lineage");
        foreach (var line in Lines(boxes, places))
            svg.Path(line, "edge");
        foreach (var box in boxes)
        {
            var (x, y, _) = places[new Slot(box.Name, null)];
            svg.Rectangle(x, y, BoxWidth, BoxHeight, $"rx=\"6\" class=\"box {box.State}\"", $"{box.Name}: {box.Kind}, {box.Detail}")
                .Text(x + 10, y + 19, Cut(box.Name, 18), "label strong").Text(x + 10, y + 36, Cut($"{box.Kind} {box.Detail}", 22), "axis");
        }
        return svg.ToString();
    }

    /// <summary>Where boxes and lanes stand: none overlaps another of its column.</summary>
    internal static Dictionary<Slot, (double X, double Y, double Height)> Place(IReadOnlyList<LineageBox> boxes)
    {
        var column = Columns(boxes);
        var slots = new Dictionary<Slot, int>();
        foreach (var box in boxes)
        {
            slots[new Slot(box.Name, null)] = column[box.Name];
            foreach (var parent in box.Parents.Where(column.ContainsKey))
            {
                for (var between = column[parent] + 1; between < column[box.Name]; between++)
                    slots[new Slot(parent, between)] = between;
            }
        }
        var parents = boxes.ToDictionary(b => b.Name, b => b.Parents);
        var places = new Dictionary<Slot, (double X, double Y, double Height)>();
        var columns = slots.GroupBy(s => s.Value, s => s.Key).OrderBy(g => g.Key).ToList();
        var tallest = columns.Max(HeightOf);
        foreach (var group in columns)
        {
            // Near where their lines come from, so that few cross.
            var ordered = group.OrderBy(slot => Sources(slot).Select(s => places[s].Y + places[s].Height / 2).DefaultIfEmpty(0).Average());
            var y = Margin + (tallest - HeightOf(group)) / 2;
            foreach (var slot in ordered.ToList())
            {
                places[slot] = (Margin + group.Key * (BoxWidth + GapX), y, slot.Height);
                y += slot.Height + GapY;
            }
        }
        return places;

        IEnumerable<Slot> Sources(Slot slot) => slot.Lane is { } lane
            ? [Before(slot.Step, lane, column)]
            : parents[slot.Step].Where(column.ContainsKey).Select(p => Before(p, column[slot.Step], column));

        static double HeightOf(IEnumerable<Slot> slots) => slots.Sum(s => s.Height + GapY) - GapY;
    }

    private static Dictionary<string, int> Columns(IReadOnlyList<LineageBox> boxes)
    {
        var column = new Dictionary<string, int>();
        foreach (var box in boxes) // pipeline order: parents come first
            column[box.Name] = 1 + box.Parents.Where(column.ContainsKey).Select(p => column[p]).DefaultIfEmpty(-1).Max();
        return column;
    }

    /// <summary>What a line of a step comes from, in the column before: the step itself, or its lane there.</summary>
    private static Slot Before(string step, int at, Dictionary<string, int> column) => new(step, at - 1 == column[step] ? null : at - 1);

    /// <summary>Paths from box to lane, along lanes, and on to boxes; each once.</summary>
    internal static IEnumerable<string> Lines(IReadOnlyList<LineageBox> boxes, Dictionary<Slot, (double X, double Y, double Height)> places)
    {
        var column = Columns(boxes);
        foreach (var (slot, (x, y, height)) in places.Where(p => p.Key.Lane is not null))
        {
            yield return Curve(places[Before(slot.Step, slot.Lane!.Value, column)], (x, y, height))
                + $" L{Svg.Number(x + BoxWidth)} {Svg.Number(y + height / 2)}";
        }
        foreach (var box in boxes)
        {
            foreach (var parent in box.Parents.Where(column.ContainsKey))
                yield return Curve(places[Before(parent, column[box.Name], column)], places[new Slot(box.Name, null)]);
        }
    }

    private static string Curve((double X, double Y, double Height) from, (double X, double Y, double Height) to)
    {
        var (x1, y1, x2, y2) = (from.X + BoxWidth, from.Y + from.Height / 2, to.X, to.Y + to.Height / 2);
        var bend = (x1 + x2) / 2;
        return $"M{Svg.Number(x1)} {Svg.Number(y1)} C{Svg.Number(bend)} {Svg.Number(y1)} {Svg.Number(bend)} {Svg.Number(y2)} {Svg.Number(x2)} {Svg.Number(y2)}";
    }

    private static string Cut(string text, int length) => text.Length <= length ? text : text[..(length - 1)] + "…";

    /// <summary>A step's box, or its lane in a column further on.</summary>
    internal sealed record Slot(string Step, int? Lane)
    {
        public double Height => Lane is null ? BoxHeight : LaneHeight;
    }
}
