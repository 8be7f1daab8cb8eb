namespace Espalier.Pipelines.Expressions;

internal enum TokenKind
{
    Number,
    Name,
    Symbol,
    End,
}

/// <summary>One word of a condition. Columns count from 1 within the expression.</summary>
internal readonly record struct Token(TokenKind Kind, string Text, int Column)
{
    public override string ToString() => Kind == TokenKind.End ? "the end" : $"'{Text}'";
}
