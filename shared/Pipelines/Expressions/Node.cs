namespace Espalier.Pipelines.Expressions;

/// <summary>A condition as a tree. Truth is 1 or 0; the parser has checked which operand is which.</summary>
internal abstract record Node(int Column)
{
    /// <summary>Whether the value is a truth, not a number.</summary>
    public abstract bool IsTruth { get; }

    /// <summary>Whether only the event says what the value is.</summary>
    public virtual bool IsOpen => false;
}

internal sealed record Constant(double Value, bool Truth, int Column) : Node(Column)
{
    public override bool IsTruth => Truth;
}

internal sealed record Metric(string Path, int Column) : Node(Column)
{
    public override bool IsTruth => false;
}

internal sealed record TextConstant(string Value, int Column) : Node(Column)
{
    public override bool IsTruth => false;
}

internal sealed record Field(string Path, int Column) : Node(Column)
{
    public override bool IsTruth => false;

    public override bool IsOpen => true;
}

internal sealed record Operation(string Name, IReadOnlyList<Node> Operands, int Column) : Node(Column)
{
    public override bool IsTruth => Name is "and" or "or" or "not" or "<" or "<=" or ">" or ">=" or "==" or "!=" or "matches";
}
