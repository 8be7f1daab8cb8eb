using Dapper;

namespace Espalier.Registry.Search;

/// <summary>
/// Turns conditions into SQL. Every value is a parameter, every name comes from a fixed list: no text of a query becomes part of
/// a statement. Conditions are written so that they are checked row by row: which index is read is decided by
/// <see cref="VersionSearch"/>, who knows how many versions meet each, and not once more by the database, which guesses.
/// </summary>
/// <param name="isSqlite">Whether it is for SQLite.</param>
internal sealed class SearchSql(bool isSqlite)
{
    // On SQLite a plus before a column keeps its index out of it; on PostgreSQL statistics see to that.
    private readonly string _checked = isSqlite ? "+v." : "v.";
    private int _count;

    /// <summary>Values by name.</summary>
    public DynamicParameters Parameters { get; } = new();

    /// <summary>A condition on a row of <c>registry_version v</c>.</summary>
    public string Condition(SearchNode node) => node switch
    {
        Junction junction => "(" + string.Join(junction.IsAnd ? " and " : " or ", junction.Operands.Select(Condition)) + ")",
        Negation negation => $"not {Condition(negation.Operand)}",
        Comparison comparison => Condition(comparison),
        _ => throw new InvalidOperationException($"{node.GetType().Name} is not a condition."),
    };

    /// <summary>A parameter with a value.</summary>
    public string Add(object value)
    {
        var name = $"q{_count++}";
        Parameters.Add(name, value);
        return "@" + name;
    }

    /// <summary>The condition on one row of <c>registry_fact</c>, called <c>f</c>.</summary>
    public string FactCondition(Comparison comparison) =>
        $"f.metric = {Add(comparison.Field.Name)} and f.value {Sign(comparison.Operator)} {Add(comparison.Value.Number!.Value)}";

    /// <summary>The condition on a column of <c>registry_version v</c>, which may be read by its index.</summary>
    public string ColumnCondition(Comparison comparison) => ColumnCondition(comparison, "v.");

    private string Condition(Comparison comparison)
    {
        var (field, op, value) = (comparison.Field, comparison.Operator, comparison.Value);
        var not = op == "!=" ? "not " : "";
        return field.Kind switch
        {
            // One row at most, by its key; a subquery with 'exists' would be turned into a join over everything.
            FieldKind.Metric when field.Column.Length > 0 => $"coalesce({_checked}{field.Column} {Sign(op)} {Add(value.Number!.Value)}, false)",
            FieldKind.Metric => OfRow(
                $"f.value {Sign(op)} {Add(value.Number!.Value)}", $"registry_fact f where f.version_id = v.id and f.metric = {Add(field.Name)}"),
            FieldKind.Alias => not + OfRow(
                "a.version = v.version", $"registry_alias a where a.name = v.name and a.alias = {Add(value.Text!)}"),
            FieldKind.Tag => not + OfRow(
                Text("t.value", op == "!=" ? "=" : op, value.Text!),
                $"registry_tag t where t.name = v.name and t.version = v.version and t.tag = {Add(field.Name)}"),
            _ => ColumnCondition(comparison, _checked),
        };

        static string OfRow(string condition, string row) => $"coalesce((select {condition} from {row}), false)";
    }

    private string ColumnCondition(Comparison comparison, string table)
    {
        var (field, op, value) = (comparison.Field, comparison.Operator, comparison.Value);
        var column = table + field.Column;
        return field.Kind switch
        {
            FieldKind.Text => Text(column, op, value.Text!),
            FieldKind.Truth => op == ">" || value.Number > 0 == (op == "=") ? $"{column} > 0" : $"{column} = 0",
            FieldKind.Time => $"{column} {Sign(op)} {Add(value.Text!)}",
            _ => $"{column} {Sign(op)} {Add(Whole(value.Number!.Value))}",
        };
    }

    private string Text(string column, string op, string value) => op == "~"
        ? $"lower({column}) like {Add($"%{Escape(value.ToLowerInvariant())}%")} escape '!'"
        : $"{column} {Sign(op)} {Add(value)}";

    // A whole number stays one, so that the index of an integer column serves.
    private static object Whole(double value) => value == Math.Floor(value) && Math.Abs(value) < 9e18 ? (object)(long)value : value;

    private static string Sign(string op) => op switch
    {
        "!=" => "<>",
        "<" or "<=" or ">" or ">=" or "=" => op,
        _ => throw new InvalidOperationException($"'{op}' is not a comparison."),
    };

    private static string Escape(string text) => text
        .Replace("!", "!!", StringComparison.Ordinal)
        .Replace("%", "!%", StringComparison.Ordinal)
        .Replace("_", "!_", StringComparison.Ordinal);
}
