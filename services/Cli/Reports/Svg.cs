using System.Globalization;
using System.Net;
using System.Text;

namespace Espalier.Cli.Reports;

/// <summary>Writes one SVG picture; text is escaped and numbers are culture-invariant.</summary>
internal sealed class Svg(double width, double height, string title)
{
    private readonly StringBuilder _body = new();

    public static string Number(double value) => Math.Round(value, 2).ToString(CultureInfo.InvariantCulture);

    public Svg Line(double x1, double y1, double x2, double y2, string style) =>
        Add($"<line x1=\"{Number(x1)}\" y1=\"{Number(y1)}\" x2=\"{Number(x2)}\" y2=\"{Number(y2)}\" class=\"{style}\"/>");

    public Svg Polyline(IEnumerable<(double X, double Y)> points, string color) =>
        Add($"<polyline fill=\"none\" stroke=\"{color}\" stroke-width=\"1.5\" "
            + $"points=\"{string.Join(' ', points.Select(p => $"{Number(p.X)},{Number(p.Y)}"))}\"/>");

    public Svg Path(string path, string style) => Add($"<path d=\"{path}\" class=\"{style}\"/>");

    public Svg Rectangle(double x, double y, double w, double h, string attributes, string? tooltip = null) =>
        Add(
            $"<rect x=\"{Number(x)}\" y=\"{Number(y)}\" width=\"{Number(w)}\" height=\"{Number(h)}\" {attributes}>"
            + $"{(tooltip is null ? "" : $"<title>{WebUtility.HtmlEncode(tooltip)}</title>")}</rect>");

    public Svg Text(double x, double y, string text, string style = "", string anchor = "start") =>
        Add($"<text x=\"{Number(x)}\" y=\"{Number(y)}\" text-anchor=\"{anchor}\" class=\"{style}\">{WebUtility.HtmlEncode(text)}</text>");

    public override string ToString() =>
        $"<svg viewBox=\"0 0 {Number(width)} {Number(height)}\" role=\"img\" aria-label=\"{WebUtility.HtmlEncode(title)}\" "
        + $"style=\"max-width:{Number(width)}px\">{_body}</svg>";

    private Svg Add(string element)
    {
        _body.Append(element);
        return this;
    }
}
