namespace Espalier.Pipelines.Expressions;

/// <summary>A condition cannot be read; the column counts from 1 within the expression.</summary>
public sealed class ExpressionException(int column, string message) : Exception(message)
{
    /// <summary>Column from 1 within the expression.</summary>
    public int Column { get; } = column;
}
