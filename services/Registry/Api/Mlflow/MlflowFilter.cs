using System.Globalization;
using System.Text.RegularExpressions;
using Dapper;

namespace Espalier.Registry.Api.Mlflow;

/// <summary>
/// MLflow's filters: <c>name LIKE 'moe%' AND tags.team = 'core'</c>. Attributes come from a fixed list and every value is a
/// parameter, so nothing of the text becomes part of a statement.
/// </summary>
internal sealed partial class MlflowFilter
{
    private const int LongestFilter = 2000;

    private MlflowFilter(string sql, DynamicParameters parameters) => (Sql, Parameters) = (sql, parameters);

    /// <summary>A condition; <c>1 = 1</c> for an empty filter.</summary>
    public string Sql { get; }

    public DynamicParameters Parameters { get; }

    /// <summary>Filters of models, on <c>registry_model m</c>.</summary>
    public static MlflowFilter OfModels(string? text) => Read(text, new() { ["name"] = "m.name" }, "t.name = m.name and t.version = 0");

    /// <summary>Filters of versions, on <c>registry_version v</c>.</summary>
    public static MlflowFilter OfVersions(string? text) =>
        Read(text, new() { ["name"] = "v.name", ["run_id"] = "v.run_id", ["version_number"] = "v.version", ["source_path"] = "v.root" }, "t.name = v.name and t.version = v.version");

    private static MlflowFilter Read(string? text, Dictionary<string, string> attributes, string tagJoin)
    {
        var parameters = new DynamicParameters();
        var conditions = new List<string>();
        var rest = text?.Trim() ?? "";
        if (rest.Length > LongestFilter)
            throw MlflowException.Invalid($"The filter has {rest.Length} characters; at most {LongestFilter} are read.");
        while (rest.Length > 0)
        {
            var match = Clause().Match(rest);
            if (!match.Success)
                throw MlflowException.Invalid($"Invalid clause in filter string near '{rest[..Math.Min(40, rest.Length)]}'. Expected such as name = 'x', name LIKE 'x%' or tags.key = 'x', joined by AND.");
            var (key, op, value) = (match.Groups["key"].Value.Trim('`', '"'), match.Groups["op"].Value.ToUpperInvariant(), match.Groups["value"].Value);
            var isText = value[0] is '\'' or '"';
            var name = $"f{conditions.Count}";
            parameters.Add(name, isText ? value[1..^1] : long.Parse(value, CultureInfo.InvariantCulture));
            if (op is "LIKE" or "ILIKE")
                parameters.Add(name, isText ? Like(value[1..^1], op) : throw MlflowException.Invalid($"{op} takes a text."));
            conditions.Add(Condition(key, op, name, attributes, tagJoin, isText));
            rest = rest[match.Length..];
        }
        return new MlflowFilter(conditions.Count == 0 ? "1 = 1" : string.Join(" and ", conditions), parameters);
    }

    private static string Condition(string key, string op, string parameter, Dictionary<string, string> attributes, string tagJoin, bool isText)
    {
        if (key.StartsWith("tags.", StringComparison.Ordinal) || key.StartsWith("tag.", StringComparison.Ordinal))
        {
            if (TagName().Match(key) is not { Success: true } tag)
                throw MlflowException.Invalid($"Invalid tag '{key}'.");
            return $"exists (select 1 from registry_tag t where {tagJoin} and t.tag = '{tag.Groups[1].Value}' and {Compare("t.value", op, parameter)})";
        }
        if (!attributes.TryGetValue(key, out var column))
            throw MlflowException.Invalid($"Invalid attribute key '{key}' specified. Valid keys are {string.Join(", ", attributes.Keys.Order(StringComparer.Ordinal))} and tags.KEY.");
        if (column == "v.version" == isText)
            throw MlflowException.Invalid(isText ? $"'{key}' is compared with a number." : $"'{key}' is compared with a text in quotes.");
        return Compare(column, op, parameter);
    }

    private static string Compare(string column, string op, string parameter) => op switch
    {
        "LIKE" => $"{column} like @{parameter} escape '!'",
        "ILIKE" => $"lower({column}) like @{parameter} escape '!'",
        "=" or "<" or "<=" or ">" or ">=" => $"{column} {op} @{parameter}",
        _ => $"{column} <> @{parameter}",
    };

    private static string Like(string pattern, string op)
    {
        var escaped = pattern.Replace("!", "!!", StringComparison.Ordinal);
        return op == "ILIKE" ? escaped.ToLowerInvariant() : escaped;
    }

    [GeneratedRegex("""\A(?<key>[`"]?[A-Za-z_][A-Za-z0-9_.\-]*[`"]?)\s*(?<op><=|>=|!=|=|<|>|I?LIKE\b)\s*(?<value>'[^']*'|"[^"]*"|\d{1,18})\s*(AND\s+|\z)""", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Clause();

    [GeneratedRegex(@"\Atags?\.([A-Za-z0-9_.\-]{1,100})\z", RegexOptions.CultureInvariant)]
    private static partial Regex TagName();
}
