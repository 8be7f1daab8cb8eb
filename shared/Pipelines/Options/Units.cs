using System.Globalization;
using System.Text.RegularExpressions;

namespace Espalier.Pipelines.Options;

/// <summary>Numbers with units. Every method returns the reason in words when the text is not one.</summary>
public static partial class Units
{
    private static readonly Dictionary<string, double> Counts = new()
    {
        [""] = 1, ["k"] = 1e3, ["K"] = 1e3, ["M"] = 1e6, ["B"] = 1e9, ["G"] = 1e9, ["T"] = 1e12,
    };

    private static readonly Dictionary<string, double> Durations = new() { ["ms"] = 0.001, ["s"] = 1, ["m"] = 60, ["min"] = 60, ["h"] = 3600, ["d"] = 86400 };

    private static readonly Dictionary<string, double> Sizes = new()
    {
        ["B"] = 1, ["kB"] = 1e3, ["KB"] = 1e3, ["MB"] = 1e6, ["GB"] = 1e9, ["TB"] = 1e12,
        ["KiB"] = 1L << 10, ["MiB"] = 1L << 20, ["GiB"] = 1L << 30, ["TiB"] = 1L << 40,
    };

    /// <summary>Reads <c>5M</c>, <c>128k</c>, <c>1.5B</c>, <c>4096</c>: decimal units, a whole result.</summary>
    public static string? ReadCount(string text, out long count) => ReadWhole(text, Counts, "a count such as 5M, 128k or 4096", out count);

    /// <summary>Reads <c>24GiB</c>, <c>500MB</c>, <c>0B</c>.</summary>
    public static string? ReadSize(string text, out long bytes) => ReadWhole(text, Sizes, "bytes with a unit, such as 24GiB or 500MB", out bytes);

    /// <summary>Reads <c>90s</c>, <c>2h</c>, <c>1h30m</c>, <c>1d</c>, and the serializer's form <c>02:00:00</c>.</summary>
    public static string? ReadDuration(string text, out TimeSpan duration)
    {
        const string Expected = "a length of time with a unit, such as 30s, 2h or 1h30m";
        duration = default;
        if (text.Contains(':', StringComparison.Ordinal) && TimeSpan.TryParseExact(text, "c", CultureInfo.InvariantCulture, out duration))
            return null;
        if (!DurationParts().IsMatch(text))
            return Explain(text, Durations, Expected);
        double seconds = 0;
        foreach (Match part in Part().Matches(text))
        {
            if (!Durations.TryGetValue(part.Groups["unit"].Value, out var factor))
                return Explain(part.Value, Durations, Expected);
            seconds += double.Parse(part.Groups["number"].Value, CultureInfo.InvariantCulture) * factor;
        }
        if (seconds > TimeSpan.FromDays(3650).TotalSeconds)
            return "a length of time of at most ten years";
        duration = TimeSpan.FromSeconds(seconds);
        return null;
    }

    /// <summary>Writes a length of time as <see cref="ReadDuration"/> reads it: <c>1h30m</c>, <c>5s</c>, <c>250ms</c>.</summary>
    public static string WriteDuration(TimeSpan length)
    {
        (string Unit, long Count)[] parts =
        [
            ("d", length.Days), ("h", length.Hours), ("m", length.Minutes), ("s", length.Seconds), ("ms", length.Milliseconds),
        ];
        var text = string.Concat(parts.Where(p => p.Count > 0).Select(p => string.Create(CultureInfo.InvariantCulture, $"{p.Count}{p.Unit}")));
        return text.Length == 0 ? "0s" : text;
    }

    private static string? ReadWhole(string text, Dictionary<string, double> units, string expected, out long value)
    {
        value = 0;
        var match = Whole().Match(text);
        if (!match.Success || match.Groups["rest"].Length > 0 || !units.TryGetValue(match.Groups["unit"].Value, out var factor))
            return Explain(text, units, expected);
        var number = decimal.TryParse(match.Groups["number"].Value, NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed)
            ? parsed
            : decimal.MaxValue;
        if (Math.Abs(number) > long.MaxValue / (decimal)factor)
            return $"{expected}; this one is too large";
        var result = number * (decimal)factor;
        if (result != decimal.Truncate(result))
            return $"{expected}; this one is not whole";
        value = (long)result;
        return null;
    }

    private static string Explain(string text, Dictionary<string, double> units, string expected)
    {
        var match = Whole().Match(text);
        if (!match.Success)
            return expected;
        var unit = match.Groups["unit"].Value;
        if (unit.Length == 0)
            return expected;
        if (units.ContainsKey(unit))
            return $"{expected}; leave out '{match.Groups["rest"].Value}'";
        var other = units != Sizes && Sizes.ContainsKey(unit) ? "a unit of bytes"
            : units != Durations && Durations.ContainsKey(unit) ? "a unit of time"
            : units != Counts && Counts.ContainsKey(unit) ? "a unit of counts"
            : null;
        return $"{expected}; '{unit}' is {other ?? "no unit"} (valid: {string.Join(", ", units.Keys.Where(k => k.Length > 0))})";
    }

    [GeneratedRegex(
        @"^\s*(?<number>[-+]?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d{1,3})?)\s*(?<unit>[A-Za-z%]*)(\s+(?<rest>.*))?$",
        RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Whole();

    [GeneratedRegex(@"^(\d+(\.\d+)?[a-z]+)+$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking)]
    private static partial Regex DurationParts();

    [GeneratedRegex(@"(?<number>\d+(\.\d+)?)(?<unit>[a-z]+)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Part();
}
