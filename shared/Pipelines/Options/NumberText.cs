using System.Globalization;
using Espalier.Pipelines.Text;

namespace Espalier.Pipelines.Options;

/// <summary>Reads scalars of the number kinds and words their limits.</summary>
internal static class NumberText
{
    /// <summary>The value (a long, a double or a time span), or what was expected instead.</summary>
    public static (object Value, string? Reason) Read(ValueKind kind, PlacedNode node)
    {
        string? reason;
        switch (kind)
        {
            case ValueKind.Integer:
                return node.Kind == NodeKind.Number && long.TryParse(node.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var integer)
                    ? (integer, null)
                    : (0L, Expected(kind));
            case ValueKind.Number:
                return node.Kind == NodeKind.Number
                    && double.TryParse(node.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number) && double.IsFinite(number)
                    ? (number, null)
                    : (0d, Expected(kind));
            case ValueKind.Duration:
                reason = Units.ReadDuration(node.Text, out var duration);
                return (duration, reason);
            case ValueKind.Size when node.Kind == NodeKind.Number && long.TryParse(node.Text, NumberStyles.None, CultureInfo.InvariantCulture, out var bytes):
                return (bytes, null);
            case ValueKind.Size:
                reason = Units.ReadSize(node.Text, out var size);
                return (size, reason);
            default:
                reason = Units.ReadCount(node.Text, out var count);
                return (count, reason);
        }
    }

    /// <summary>What a kind looks like.</summary>
    public static string Expected(ValueKind kind) => kind switch
    {
        ValueKind.Integer => "a whole number",
        ValueKind.Number => "a number",
        ValueKind.Count => "a count such as 5M, 128k or 4096",
        ValueKind.Duration => "a length of time with a unit, such as 30s, 2h or 1h30m",
        _ => "bytes with a unit, such as 24GiB or 500MB",
    };

    /// <summary>The limits in words.</summary>
    public static string Range(OptionSchema schema)
    {
        var unit = schema.Kind == ValueKind.Duration ? " seconds" : "";
        return (schema.Min, schema.Max) switch
        {
            ({ } min, { } max) => $"between {Write(min)} and {Write(max)}{unit}",
            ({ } min, null) => $"at least {Write(min)}{unit}",
            (_, var max) => $"at most {Write(max ?? 0)}{unit}",
        };
    }

    private static string Write(double value) =>
        value == Math.Floor(value) && Math.Abs(value) < 1e15
            ? ((long)value).ToString(CultureInfo.InvariantCulture)
            : value.ToString("R", CultureInfo.InvariantCulture);
}
