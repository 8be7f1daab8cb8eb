using System.CommandLine;
using System.Text.Json;
using Espalier.Cli.Models;
using Espalier.Cli.Terminals;
using Espalier.Registry.Api;
using Espalier.Registry.Comparisons;
using Spectre.Console;

namespace Espalier.Cli.Commands;

/// <summary><c>espalier diff A B</c>: two versions beside each other.</summary>
internal static class DiffCommand
{
    private const int OutsideLayers = -1;

    public static Command Create(Terminal terminal)
    {
        var left = new Argument<string>("A") { Description = "NAME@VERSION, NAME@ALIAS or NAME (newest)." };
        var right = new Argument<string>("B") { Description = "The other one." };
        var json = SharedOptions.Json();
        var command = new Command(
            "diff",
            "Compare two versions: configuration, metrics with the interval of their difference where one report measured both, how far the "
                + "weights of each layer moved, and bytes that they share.\n\n  espalier diff quickstart@1 quickstart@candidate")
        {
            left, right, json,
        };
        command.SetAction(async (parsed, cancellationToken) =>
        {
            await using var models = await ContextModels.OpenAsync(parsed, terminal, cancellationToken).ConfigureAwait(false);
            var a = await models.ResolveAsync(parsed.GetRequiredValue(left), cancellationToken).ConfigureAwait(false);
            var b = await models.ResolveAsync(parsed.GetRequiredValue(right), cancellationToken).ConfigureAwait(false);
            var found = await models.CompareAsync(a, b, cancellationToken).ConfigureAwait(false);
            if (parsed.GetValue(json))
                terminal.WriteJson(new { Left = Named(a), Right = Named(b), found.Config, found.Metrics, found.Weights, found.Bytes });
            else
                Write(terminal, Named(a), Named(b), found);
            return ExitCodes.Done;
        });
        return command;
    }

    private static string Named(VersionView version) => $"{version.Model}@{version.Version}";

    private static void Write(Terminal terminal, string left, string right, VersionComparison found)
    {
        if (found.Config.Count > 0)
            terminal.Write(Fill(
                ["config.json", left, right], found.Config.Select(c => new[] { c.Path, Text(c.Left), Text(c.Right) })));
        if (found.Metrics.Count > 0)
            terminal.Write(Fill(
                ["metric", left, right, "difference", "95 % interval"],
                found.Metrics.Select(m => new[] { m.Name, Text(m.Left), Text(m.Right), Signed(m.Difference), Interval(m) })));
        terminal.Write(Fill(
            ["layer", "weights moved by", "router moved by", "experts that moved most"], found.Weights.Select(Row)));
        var bytes = found.Bytes;
        terminal.Output.WriteLine(
            $"{Amounts.Bytes(bytes.Shared)} in both, {Amounts.Bytes(bytes.LeftOnly)} only in {left}, {Amounts.Bytes(bytes.RightOnly)} only in {right}");
    }

    private static string[] Row(LayerDifference layer)
    {
        const int shown = 3;
        var moved = layer.Experts.Select((change, expert) => (Expert: expert, Change: change))
            .Where(e => e.Change is > 0).OrderByDescending(e => e.Change).Take(shown);
        return
        [
            layer.Layer == OutsideLayers ? "outside the layers" : $"{layer.Layer}", Share(layer.RelativeChange), Share(layer.Router),
            string.Join(", ", moved.Select(e => $"{e.Expert} ({Share(e.Change)})")),
        ];
    }

    private static string Share(double? change) => change switch
    {
        null => "-",
        0 => "unchanged",
        { } some => $"{some * 100:0.##} %",
    };

    private static string Text(JsonElement? value) => value is { } some ? some.GetRawText() : "-";

    private static string Text(double? value) => value is { } some ? $"{some:0.####}" : "-";

    private static string Signed(double? value) => value is { } some ? $"{some:+0.####;-0.####;0}" : "-";

    private static string Interval(MetricDifference metric) => metric is { Low: { } low, High: { } high } ? $"{Signed(low)} to {Signed(high)}" : "-";

    private static Table Fill(string[] columns, IEnumerable<string[]> rows)
    {
        var table = new Table().RoundedBorder().AddColumns([.. columns.Select(Markup.Escape)]);
        foreach (var row in rows)
            table.AddRow([.. row.Select(Markup.Escape)]);
        return table;
    }
}
