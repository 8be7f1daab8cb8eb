namespace Espalier.Orchestrator.Ledger;

/// <summary>What a list of runs goes by.</summary>
public enum RunOrderField
{
    /// <summary>When they were submitted.</summary>
    Created,

    /// <summary>The name of their pipeline; of one name, the newest first.</summary>
    Name,

    /// <summary>How long they ran, or have been running; of those that have not begun, the newest first.</summary>
    Duration,
}

/// <summary>The order of a list of runs, as people write it: <c>created desc</c>, <c>name</c>, <c>duration desc</c>.</summary>
public readonly record struct RunOrder(RunOrderField Field, bool IsDescending)
{
    /// <summary>Newest first.</summary>
    public static RunOrder Newest { get; } = new(RunOrderField.Created, true);

    /// <summary>What is expected where text is no order.</summary>
    public static string Expected { get; } =
        $"{string.Join(", ", EnumText.Words<RunOrderField>())}; 'desc' behind it turns it round (duration desc: the longest first)";

    /// <summary>Reads an order; false where the text is none.</summary>
    public static bool TryParse(string text, out RunOrder order)
    {
        order = Newest;
        var words = text.Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (words is not { Length: 1 or 2 } || !EnumText.TryParse<RunOrderField>(words[0], out var field))
            return false;
        var direction = words.ElementAtOrDefault(1) ?? "asc";
        order = new RunOrder(field, direction == "desc");
        return direction is "asc" or "desc";
    }

    /// <inheritdoc/>
    public override string ToString() => EnumText.Of(Field) + (IsDescending ? " desc" : "");
}
