namespace Espalier.Registry.Search;

/// <summary>A condition on versions.</summary>
internal abstract record SearchNode(int Position);

/// <summary>All of them, or any of them.</summary>
internal sealed record Junction(bool IsAnd, IReadOnlyList<SearchNode> Operands, int Position) : SearchNode(Position);

/// <summary>Not.</summary>
internal sealed record Negation(SearchNode Operand, int Position) : SearchNode(Position);

/// <summary>A field beside a value.</summary>
internal sealed record Comparison(SearchField Field, string Operator, Operand Value, int Position) : SearchNode(Position);

/// <summary>A number, a text, or a field of the version that an alias points to now, scaled and shifted.</summary>
internal sealed record Operand(double? Number, string? Text, SearchField? Current = null, double Factor = 1, double Offset = 0);

/// <summary>What a query orders by.</summary>
internal sealed record SearchOrder(SearchField Field, bool Descending);

/// <summary>A whole query; without conditions it takes every version.</summary>
internal sealed record SearchQuery(SearchNode? Where, SearchOrder? Order);
