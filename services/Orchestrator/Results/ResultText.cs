using System.Globalization;

namespace Espalier.Orchestrator.Results;

/// <summary>How tables and sentences about results write numbers.</summary>
public static class ResultText
{
    /// <summary>A difference with its sign and four decimals; what rounds to zero has no sign.</summary>
    public static string Signed(double value) => (Math.Round(value, 4) + 0.0).ToString("+0.0000;-0.0000;0.0000", CultureInfo.InvariantCulture);

    /// <summary>A count: <c>1.28M</c>; a dash for none.</summary>
    public static string Count(double? value) => value switch
    {
        null => "-",
        >= 1e9 => string.Create(CultureInfo.InvariantCulture, $"{value / 1e9:0.00}B"),
        >= 1e6 => string.Create(CultureInfo.InvariantCulture, $"{value / 1e6:0.00}M"),
        >= 1e3 => string.Create(CultureInfo.InvariantCulture, $"{value / 1e3:0.0}k"),
        _ => value.Value.ToString("0", CultureInfo.InvariantCulture),
    };

    /// <summary>Bytes: <c>1.28 MiB</c>.</summary>
    public static string Bytes(long value) => value switch
    {
        >= 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{value / (double)(1L << 30):0.00} GiB"),
        >= 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{value / (double)(1L << 20):0.00} MiB"),
        >= 1L << 10 => string.Create(CultureInfo.InvariantCulture, $"{value / (double)(1L << 10):0.0} KiB"),
        _ => $"{value} B",
    };
}
