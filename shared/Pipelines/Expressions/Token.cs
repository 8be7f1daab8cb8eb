namespace Espalier.Pipelines.Expressions;

internal enum TokenKind
{
    Number,

    /// <summary>Text in quotes, with the quotes.</summary>
    Text,
    Name,
    Symbol,
    End,
}

/// <summary>One word of a condition. Columns count from 1 within the expression.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Column)
{
    public override string ToString() => Kind switch
    {
        TokenKind.End => "the end",
        TokenKind.Text => Text,
        _ => $"'{Text}'",
    };
}
