using System.Globalization;
using System.Text.Json;
using Espalier.Orchestrator.Results;

namespace Espalier.Cli.Reports;

/// <summary>The share of the routed tokens that each expert got, on held-out text.</summary>
/// <param name="Model">Step that made the model.</param>
/// <param name="Load">[layer][expert] shares; each row sums to 1.</param>
internal sealed record ExpertLoad(string Model, IReadOnlyList<IReadOnlyList<double>> Load)
{
    /// <summary>Expert load of each model in an evaluation report: <c>models: [{step, routing: {load: [[...]]}}]</c>.</summary>
    public static IEnumerable<ExpertLoad> Of(JsonElement report)
    {
        foreach (var model in ReportReader.Items(report, "models"))
        {
            if (!model.TryGetProperty("routing", out var routing) || routing.ValueKind != JsonValueKind.Object)
                continue;
            var rows = ReportReader.Items(routing, "load").Select(row => Shares([.. row.EnumerateArray().Select(v => v.GetDouble())])).ToList();
            if (rows.Exists(r => r.Count > 0)) // a dense layer has none
                yield return new ExpertLoad(model.GetProperty("step").GetString()!, rows);
        }
    }

    private static IReadOnlyList<double> Shares(List<double> counts)
    {
        var sum = counts.Sum();
        return sum > 0 ? [.. counts.Select(c => c / sum)] : counts;
    }
}

/// <summary>Draws expert load as one cell per (layer, expert): pale is idle, dark is crowded, mid tone is the fair share.</summary>
internal static class LoadHeatMap
{
    private const double Left = 62, Top = 8, RowHeight = 20;

    public static string Draw(ExpertLoad load)
    {
        var experts = load.Load.Max(row => row.Count);
        var cell = Math.Min(34, 760.0 / experts);
        var svg = new Svg(Left + experts * cell + 8, Top + load.Load.Count * RowHeight + 20, $"expert load of {load.Model}");
        for (var layer = 0; layer < load.Load.Count; layer++)
        {
            svg.Text(Left - 8, Top + layer * RowHeight + 14, $"layer {layer}", "axis", "end");
            for (var expert = 0; expert < load.Load[layer].Count; expert++)
            {
                var share = load.Load[layer][expert];
                var relative = share * load.Load[layer].Count; // 1 = fair share
                svg.Rectangle(
                    Left + expert * cell, Top + layer * RowHeight, cell - 1, RowHeight - 1, $"fill=\"{Color(relative)}\"",
                    string.Create(CultureInfo.InvariantCulture, $"layer {layer}, expert {expert}: {share:P1} of the tokens, {relative:0.00} of a fair share"));
            }
        }
        svg.Text(Left, Top + load.Load.Count * RowHeight + 14, "expert 0", "axis")
            .Text(Left + experts * cell, Top + load.Load.Count * RowHeight + 14, $"{experts - 1}", "axis", "end");
        return svg.ToString();
    }

    // Lightness falls with the load: 0 -> 96 %, fair share -> 62 %, twice -> 36 %, four times -> 18 %.
    private static string Color(double relative)
    {
        var lightness = relative <= 1 ? 96 - 34 * relative : 62 - 26 * Math.Min(Math.Log2(relative), 1.7);
        return string.Create(CultureInfo.InvariantCulture, $"hsl(160 45% {lightness:0.#}%)");
    }
}
