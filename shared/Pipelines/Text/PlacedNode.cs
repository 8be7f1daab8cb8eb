namespace Espalier.Pipelines.Text;

/// <summary>What a node of a document is.</summary>
public enum NodeKind
{
    /// <summary>Nothing, or the word <c>null</c>.</summary>
    Null,

    /// <summary><c>true</c> or <c>false</c>.</summary>
    Bool,

    /// <summary>A number.</summary>
    Number,

    /// <summary>Text.</summary>
    Text,

    /// <summary>Values in order.</summary>
    List,

    /// <summary>Values by key.</summary>
    Map,
}

/// <summary>A value of a YAML or JSON document that knows where it stands, so that every message can say so.</summary>
public sealed record PlacedNode
{
    /// <summary>What it is.</summary>
    public required NodeKind Kind { get; init; }

    /// <summary>A scalar as written, without quotes.</summary>
    public string Text { get; init; } = "";

    /// <summary>Line from 1.</summary>
    public required int Line { get; init; }

    /// <summary>Column from 1.</summary>
    public required int Column { get; init; }

    /// <summary>Column of the first character of a scalar's text, after an opening quote.</summary>
    public int TextColumn => IsQuoted ? Column + 1 : Column;

    /// <summary>Whether a scalar was written in quotes.</summary>
    public bool IsQuoted { get; init; }

    /// <summary>Whether a problem of this value is reported already, so that readers pass over it.</summary>
    public bool IsReported { get; init; }

    /// <summary>Values of a list.</summary>
    public IReadOnlyList<PlacedNode> Items { get; init; } = [];

    /// <summary>Entries of a map in the order of the document; keys are unique.</summary>
    public IReadOnlyList<PlacedEntry> Entries { get; init; } = [];

    /// <summary>The value under a key, or null.</summary>
    public PlacedNode? Find(string key) => Entries.FirstOrDefault(e => e.Key == key)?.Value;

    /// <summary>What was found, for messages: <c>the number 3</c>, <c>a list</c>.</summary>
    public string Describe() => Kind switch
    {
        NodeKind.Null => "nothing",
        NodeKind.Bool => $"'{Text}'",
        NodeKind.Number => $"the number {Shorten(Text)}",
        NodeKind.Text => $"'{Shorten(Text)}'",
        NodeKind.List => "a list",
        _ => "a map",
    };

    private static string Shorten(string text) => text.Length <= 60 ? text : text[..57] + "...";
}

/// <summary>One entry of a map.</summary>
/// <param name="Key">The key.</param>
/// <param name="Line">Line of the key.</param>
/// <param name="Column">Column of the key.</param>
/// <param name="Value">The value.</param>
public sealed record PlacedEntry(string Key, int Line, int Column, PlacedNode Value);
