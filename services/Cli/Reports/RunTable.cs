using System.Globalization;
using Espalier.Orchestrator.Results;
using Spectre.Console;

namespace Espalier.Cli.Reports;

/// <summary>The closing table in the terminal.</summary>
public static class RunTable
{
    /// <summary>Builds the table; the smallest loss is bold. <paramref name="xzBitsPerByte"/> is shown as a last line when known.</summary>
    public static Table Create(IReadOnlyList<ModelRow> rows, double? xzBitsPerByte)
    {
        var table = new Table().RoundedBorder().AddColumn("model");
        foreach (var name in new[] { "parameters", "active", "stored", "new in store", "held-out loss (95 %)", "bits/byte", "tokens/s", "seconds" })
            table.AddColumn(new TableColumn(name).RightAligned());
        var best = rows.Where(r => r.Loss is not null).MinBy(r => r.Loss);
        foreach (var row in rows)
        {
            table.AddRow(
                Markup.Escape(row.Model + (row.Cached ? " (cached)" : "")),
                ResultText.Count(row.TotalParameters),
                ResultText.Count(row.ActiveParameters),
                ResultText.Bytes(row.StoredBytes),
                ResultText.Bytes(row.NewBytes),
                row == best ? $"[bold]{Markup.Escape(Loss(row))}[/]" : Markup.Escape(Loss(row)),
                row.BitsPerByte is { } bits ? bits.ToString("0.000", CultureInfo.InvariantCulture) : "-",
                row.TokensPerSecond is { } rate ? rate.ToString("N0", CultureInfo.InvariantCulture) : "-",
                row.Seconds.ToString("0.0", CultureInfo.InvariantCulture));
        }
        if (xzBitsPerByte is { } xz)
            table.AddRow("xz -9 (same text)", "-", "-", "-", "-", "-", xz.ToString("0.000", CultureInfo.InvariantCulture), "-", "-");
        return table;
    }

    internal static string Loss(ModelRow row) => (row.Loss, row.LossLow, row.LossHigh) switch
    {
        ({ } loss, { } low, { } high) => string.Create(CultureInfo.InvariantCulture, $"{loss:0.0000} [{low:0.000}, {high:0.000}]"),
        ({ } loss, _, _) => loss.ToString("0.0000", CultureInfo.InvariantCulture),
        _ => "-",
    };
}
