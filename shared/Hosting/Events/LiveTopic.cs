using System.Globalization;
using Microsoft.Extensions.Primitives;

namespace Espalier.Hosting.Events;

/// <summary>One thing to follow in a stream that carries several.</summary>
/// <param name="Name"><see cref="Registry"/>, <see cref="Runs"/>, or <see cref="OfRun"/> and the id of a run.</param>
/// <param name="After">The position that was read last; null begins now.</param>
public sealed record LiveTopic(string Name, long? After)
{
    /// <summary>Versions and aliases.</summary>
    public const string Registry = "registry";

    /// <summary>Changes of state in every run.</summary>
    public const string Runs = "runs";

    /// <summary>What the topic of one run begins with: its changes, its log and its progress.</summary>
    public const string OfRun = "run.";

    /// <summary>Most topics of one stream: each is read from the database a few times a second.</summary>
    public const int Most = 32;

    /// <summary>The run of the topic; null for a topic of another kind.</summary>
    public string? Run => Name.StartsWith(OfRun, StringComparison.Ordinal) ? Name[OfRun.Length..] : null;

    /// <summary>As it stands in an address: the name, a colon and the position.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Name}:{After}");

    /// <summary>Reads topics as they stand in an address.</summary>
    /// <exception cref="FormatException">One is unknown, or there are none or too many.</exception>
    public static IReadOnlyList<LiveTopic> Parse(StringValues texts)
    {
        if (texts.Count is 0 or > Most)
            throw new FormatException($"A stream follows 1 to {Most} topics, and this asks for {texts.Count}: ?topic={Runs}:&topic={OfRun}ID:0.");
        return [.. texts.Select(Parse)];
    }

    private static LiveTopic Parse(string? text)
    {
        var colon = text?.LastIndexOf(':') ?? -1;
        var (name, position) = colon < 0 ? (text ?? "", "") : (text![..colon], text[(colon + 1)..]);
        var isKnown = name is Registry or Runs || (name.StartsWith(OfRun, StringComparison.Ordinal) && name.Length > OfRun.Length);
        long after = 0;
        if (!isKnown || (position.Length > 0 && !long.TryParse(position, NumberStyles.None, CultureInfo.InvariantCulture, out after)))
        {
            throw new FormatException(
                $"'{text}' is not a topic: expected {Registry}, {Runs} or {OfRun}ID, a colon, and the position that was read last or nothing.");
        }
        return new LiveTopic(name, position.Length > 0 ? after : null);
    }
}
