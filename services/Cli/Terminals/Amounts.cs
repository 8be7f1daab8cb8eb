using System.Globalization;

namespace Espalier.Cli.Terminals;

/// <summary>Sizes, counts and times as short text.</summary>
internal static class Amounts
{
    /// <summary><c>1 step</c>, <c>2 steps</c>.</summary>
    public static string Of(int count, string noun) => $"{count} {noun}{(count == 1 ? "" : "s")}";

    public static string Bytes(long bytes) => bytes switch
    {
        >= 1L << 30 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 30):0.00} GiB"),
        >= 1L << 20 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 20):0.0} MiB"),
        >= 1L << 10 => string.Create(CultureInfo.InvariantCulture, $"{bytes / (double)(1L << 10):0.0} KiB"),
        _ => $"{bytes} B",
    };

    public static string Count(double count) => count switch
    {
        >= 1e9 => string.Create(CultureInfo.InvariantCulture, $"{count / 1e9:0.00}B"),
        >= 1e6 => string.Create(CultureInfo.InvariantCulture, $"{count / 1e6:0.00}M"),
        >= 1e4 => string.Create(CultureInfo.InvariantCulture, $"{count / 1e3:0.0}k"),
        >= 10 => count.ToString("0", CultureInfo.InvariantCulture),
        _ => count.ToString("0.##", CultureInfo.InvariantCulture),
    };

    public static string Time(TimeSpan time) => time switch
    {
        { TotalHours: >= 1 } => $"{(int)time.TotalHours}h{time.Minutes:00}m",
        { TotalMinutes: >= 1 } => $"{time.Minutes}m{time.Seconds:00}s",
        { TotalSeconds: >= 10 } => $"{time.Seconds}s",
        _ => string.Create(CultureInfo.InvariantCulture, $"{time.TotalSeconds:0.0}s"),
    };
}
