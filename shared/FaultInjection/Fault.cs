namespace Espalier.FaultInjection;

/// <summary>What happens at a point.</summary>
internal enum FaultAction
{
    Kill,
    Abort,
    Throw,
    Delay,
    Tear,
}

/// <summary>One fault: <c>[ROLE@]POINT:N:ACTION[:MILLISECONDS]</c>.</summary>
internal sealed record Fault(string Text, string Role, string Point, int Hit, FaultAction Action, int Milliseconds)
{
    private const int DefaultDelay = 2000;

    public static IReadOnlyList<Fault> ParseAll(string text) =>
        [.. text.Split([';', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Parse)];

    private static Fault Parse(string text)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        var parts = text[(at + 1)..].Split(':');
        if (parts.Length is < 3 or > 4 || !FaultPoints.All.Contains(parts[0]) || !int.TryParse(parts[1], out var hit) || hit < 1
            || !Enum.TryParse<FaultAction>(parts[2], ignoreCase: true, out var action))
            throw new FormatException(
                $"{Faults.Variable}: '{text}' is not a fault: expected [ROLE@]POINT:N:kill|abort|throw|delay|tear[:MILLISECONDS] with a point "
                    + $"of {nameof(FaultPoints)}.");
        return new Fault(
            text, at < 0 ? "" : text[..at], parts[0], hit, action,
            parts.Length > 3 ? int.Parse(parts[3], System.Globalization.CultureInfo.InvariantCulture) : DefaultDelay);
    }
}
