using Dapper;

namespace Espalier.Registry.Search;

/// <summary>Turns conditions into SQL. Every value is a parameter, every name comes from a fixed list: no text of a query becomes part of a statement.</summary>
internal sealed class SearchSql
{
    /// <summary>Values by name.</summary>
    public DynamicParameters Parameters { get; } = new();

    private int _count;

    /// <summary>A condition on <c>registry_version v</c>.</summary>
    public string Condition(SearchNode node) => node switch
    {
        Junction junction => "(" + string.Join(junction.IsAnd ? " and " : " or ", junction.Operands.Select(Condition)) + ")",
        Negation negation => $"not {Condition(negation.Operand)}",
        Comparison comparison => Condition(comparison),
        _ => throw new InvalidOperationException($"{node.GetType().Name} is no condition."),
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

    private string Condition(Comparison comparison)
    {
        var (field, op, value) = (comparison.Field, comparison.Operator, comparison.Value);
        return field.Kind switch
        {
            FieldKind.Metric => $"exists (select 1 from registry_fact f where f.version_id = v.id and {FactCondition(comparison)})",
            FieldKind.Alias => $"{(op == "!=" ? "not " : "")}exists (select 1 from registry_alias a where a.name = v.name and a.version = v.version and a.alias = {Add(value.Text!)})",
            FieldKind.Tag => $"{(op == "!=" ? "not " : "")}exists (select 1 from registry_tag t where t.name = v.name and t.version = v.version and t.tag = {Add(field.Name)} and {Text("t.value", op == "!=" ? "=" : op, value.Text!)})",
            FieldKind.Text => Text($"v.{field.Column}", op, value.Text!),
            FieldKind.Truth => op == ">" ? "v.signatures > 0" : value.Number > 0 == (op == "=") ? "v.signatures > 0" : "v.signatures = 0",
            FieldKind.Time => $"v.{field.Column} {Sign(op)} {Add(value.Text!)}",
            _ => $"v.{field.Column} {Sign(op)} {Add(Whole(value.Number!.Value))}",
        };
    }

    private string Text(string column, string op, string value) => op == "~"
        ? $"lower({column}) like {Add($"%{Escape(value.ToLowerInvariant())}%")} escape '!'"
        : $"{column} {Sign(op)} {Add(value)}";

    // A whole number stays one, so that the index of an integer column serves.
    private static object Whole(double value) => value == Math.Floor(value) && Math.Abs(value) < 9e18 ? (object)(long)value : value;

    private static string Sign(string op) => op switch { "!=" => "<>", "<" or "<=" or ">" or ">=" or "=" => op, _ => throw new InvalidOperationException($"'{op}' is no comparison.") };

    private static string Escape(string text) => text.Replace("!", "!!", StringComparison.Ordinal).Replace("%", "!%", StringComparison.Ordinal).Replace("_", "!_", StringComparison.Ordinal);
}
