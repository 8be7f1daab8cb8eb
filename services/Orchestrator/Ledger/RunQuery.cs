using System.Globalization;
using Espalier.Contracts;

namespace Espalier.Orchestrator.Ledger;

/// <summary>Which runs a list has. A list goes on where another ended: <see cref="Before"/> is that one's last run, however many came since.</summary>
public sealed record RunQuery
{
    /// <summary>Number of runs at most.</summary>
    /// <value>100</value>
    public int Limit { get; init; } = 100;

    /// <summary>Only runs that come behind this one in the order (older ones, in the usual order); null begins with the first.</summary>
    public Guid? Before { get; init; }

    /// <summary>What the list goes by.</summary>
    /// <value>created desc</value>
    public RunOrder Order { get; init; } = RunOrder.Newest;

    /// <summary>Only runs in this state.</summary>
    public RunState? State { get; init; }

    /// <summary>Only runs of a pipeline of this name.</summary>
    public string? Name { get; init; }

    /// <summary>Only the runs with this number among those of their name (<see cref="RunView.Ordinal"/>).</summary>
    public long? Ordinal { get; init; }

    /// <summary>Only runs whose id begins so.</summary>
    public string? IdPrefix { get; init; }

    /// <summary>Archived runs instead of those that are not.</summary>
    public bool IsArchived { get; init; }

    /// <summary>The run that people call so (<see cref="RunView.Label"/>), such as <c>tiny#12</c>; null where the text is no such name.</summary>
    public static RunQuery? ByLabel(string text) =>
        text.LastIndexOf('#') is var at and > 0 && long.TryParse(text.AsSpan(at + 1), NumberStyles.None, CultureInfo.InvariantCulture, out var ordinal)
            ? new RunQuery { Name = text[..at].TrimEnd(), Ordinal = ordinal, Limit = 1 }
            : null;

    /// <summary>The lowest and the highest id that begin with some digits; null when nothing can.</summary>
    internal static (string Low, string High)? IdsOf(string prefix)
    {
        var digits = prefix.Replace("-", "", StringComparison.Ordinal).ToLowerInvariant();
        return digits.Length <= 32 && digits.All(char.IsAsciiHexDigit)
            ? (Guid.Parse(digits.PadRight(32, '0')).ToString(), Guid.Parse(digits.PadRight(32, 'f')).ToString())
            : null;
    }
}
