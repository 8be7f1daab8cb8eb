using System.Globalization;
using System.Text.RegularExpressions;
using Dapper;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Api.Mlflow;

/// <summary>
/// MLflow's filters: <c>name LIKE 'moe%' AND tags.`team's "own"` = 'core'</c>. Attributes come from a fixed list and every value
/// is a parameter, so nothing of the text becomes part of a statement.
/// </summary>
internal sealed partial class MlflowFilter
{
    private const int LongestFilter = 2000, LongestShown = 100;
    private const string Text = "('([^']|'')*'|\"([^\"]|\"\")*\")";
    private const string Single = $@"({Text}|\d{{1,18}})";
    private const string List = $@"\(\s*(?<values>{Single}(\s*,\s*{Single}){{0,99}})\s*\)";

    private readonly List<string> _conditions = [];
    private readonly List<(int Condition, IndexedCondition Indexed)> _indexed = [];
    private readonly bool _isSqlite;

    private MlflowFilter(bool isSqlite) => _isSqlite = isSqlite;

    /// <summary>A condition; <c>1 = 1</c> for an empty filter.</summary>
    public string Sql => SqlWithout(null);

    public DynamicParameters Parameters { get; } = new();

    /// <summary>The conditions on versions that an index answers.</summary>
    public IReadOnlyList<IndexedCondition> Indexed => [.. _indexed.Select(i => i.Indexed)];

    /// <summary>The conditions other than one of <see cref="Indexed"/>.</summary>
    public string SqlWithout(int? indexed)
    {
        var others = _conditions.Where((_, i) => indexed is null || i != _indexed[indexed.Value].Condition).ToList();
        return others.Count == 0 ? "1 = 1" : string.Join(" and ", others);
    }

    /// <summary>Filters of models, on <c>registry_model m</c>.</summary>
    public static MlflowFilter OfModels(string? text) => Read(new MlflowFilter(false), text, new() { ["name"] = "m.name" }, isOfVersions: false);

    /// <summary>Filters of versions, on <c>registry_version v</c>.</summary>
    /// <param name="text">The filter.</param>
    /// <param name="isSqlite">Whether it is for SQLite.</param>
    public static MlflowFilter OfVersions(string? text, bool isSqlite)
    {
        var attributes = new Dictionary<string, string>
        {
            ["name"] = "v.name", ["run_id"] = "v.run_id", ["version_number"] = "v.version", ["source_path"] = "v.root",
        };
        return Read(new MlflowFilter(isSqlite), text, attributes, isOfVersions: true);
    }

    private static MlflowFilter Read(MlflowFilter filter, string? text, Dictionary<string, string> attributes, bool isOfVersions)
    {
        var rest = text?.Trim() ?? "";
        if (rest.Length > LongestFilter)
            throw MlflowException.Invalid($"The filter has {rest.Length} characters; at most {LongestFilter} are read.");
        while (rest.Length > 0)
        {
            var match = Clause().Match(rest);
            if (!match.Success)
            {
                throw MlflowException.Invalid(
                    $"Invalid clause in filter string near '{rest[..Math.Min(40, rest.Length)]}'. "
                    + "Expected such as name = 'x', name LIKE 'x%', run_id IN ('x', 'y') or tags.key = 'x', joined by AND.");
            }
            var name = MlflowIdentifier.Unquote(match.Groups["name"].Value);
            var op = match.Groups["op"].Value.ToUpperInvariant();
            var values = Value().Matches(match.Groups["values"].Value).Select(v => v.Value).ToList();
            if (match.Groups["tag"].Success)
                filter.AddTag(name, op, values, isOfVersions);
            else
                filter.AddAttribute(name, op, values, attributes);
            rest = rest[match.Length..];
            if (rest.Length == 0 && match.Groups["and"].Length > 0)
                throw MlflowException.Invalid("Invalid filter string: nothing follows the last AND.");
        }
        return filter;
    }

    private void AddTag(string name, string op, List<string> values, bool isOfVersions)
    {
        if (values.Any(v => !IsText(v)) || op is not ("=" or "!=" or "LIKE" or "ILIKE" or "IN"))
            throw MlflowException.Invalid($"Tag '{Shown(name)}' is compared with a text in quotes, by =, !=, LIKE, ILIKE or IN.");
        var tag = Add(name);
        var value = Compare("t.value", op, [.. values.Select(Unquote)]);
        if (!isOfVersions)
        {
            _conditions.Add($"m.name in (select t.name from registry_tag t where t.version = 0 and t.tag = {tag} and {value})");
            return;
        }
        _conditions.Add(
            $"coalesce((select {value} from registry_tag t where t.name = v.name and t.version = v.version and t.tag = {tag}), false)");
        if (op == "=")
            _indexed.Add((_conditions.Count - 1, new IndexedCondition(TagIndex.Ids(tag, Add(Unquote(values[0]))), Parameters)));
    }

    private void AddAttribute(string key, string op, List<string> values, Dictionary<string, string> attributes)
    {
        if (!attributes.TryGetValue(key, out var column))
        {
            var valid = string.Join(", ", attributes.Keys.Order(StringComparer.Ordinal));
            throw MlflowException.Invalid($"Invalid attribute key '{Shown(key)}' specified. Valid keys are {valid} and tags.KEY.");
        }
        var isNumber = column == "v.version";
        var fits = isNumber ? op is not ("LIKE" or "ILIKE") : op is "=" or "!=" or "LIKE" or "ILIKE" or "IN";
        if (!fits || values.Any(v => IsText(v) == isNumber))
        {
            throw MlflowException.Invalid(isNumber
                ? $"'{key}' is compared with a number."
                : $"'{key}' is compared with a text in quotes, by =, !=, LIKE, ILIKE or IN.");
        }
        var condition = Compare(column, op, [.. values.Select(v => isNumber ? Number(v) : AsStored(key, Unquote(v)))]);
        // On SQLite a plus keeps the column's index out: which index is read is decided by counting.
        _conditions.Add(_isSqlite && column[0] == 'v' ? "+" + condition : condition);
        if (op is "=" or "IN" && column[0] == 'v')
        {
            var indexed = new IndexedCondition($"select v.id as version_id from registry_version v where {condition}", Parameters);
            _indexed.Add((_conditions.Count - 1, indexed));
        }
    }

    private static object Number(string value) => long.Parse(value, CultureInfo.InvariantCulture);

    /// <summary>Sources are shown with a scheme, and runs without hyphens.</summary>
    private static object AsStored(string key, string value) =>
        key == "source_path" && value.StartsWith(MlflowSource.Scheme, StringComparison.Ordinal) ? value[MlflowSource.Scheme.Length..]
        : key == "run_id" && Guid.TryParse(value, out var run) ? run.ToString("D")
        : value;

    private string Compare(string column, string op, IReadOnlyList<object> values) => op switch
    {
        "LIKE" => $"{column} like {Add(Escape((string)values[0]))} escape '!'",
        "ILIKE" => $"lower({column}) like {Add(Escape((string)values[0]).ToLowerInvariant())} escape '!'",
        "IN" => $"{column} in ({string.Join(", ", values.Select(Add))})",
        "!=" => $"{column} <> {Add(values[0])}",
        _ => $"{column} {op} {Add(values[0])}",
    };

    private string Add(object value)
    {
        var name = $"f{Parameters.ParameterNames.Count()}";
        Parameters.Add(name, value);
        return "@" + name;
    }

    private static string Shown(string name) => name.Length > LongestShown ? name[..LongestShown] : name;

    private static bool IsText(string value) => value[0] is '\'' or '"';

    /// <summary>A text without its quotes; one of its own kind within it is written twice.</summary>
    private static string Unquote(string value) =>
        IsText(value) ? value[1..^1].Replace(new string(value[0], 2), value[..1], StringComparison.Ordinal) : value;

    private static string Escape(string pattern) => pattern.Replace("!", "!!", StringComparison.Ordinal);

    [GeneratedRegex(
        $@"\A((?<tag>`tags?`|tags?)\.|(`(attributes?|attr)`|attributes?|attr)\.)?(?<name>{MlflowIdentifier.Pattern})\s*"
            + $@"((?<op><=|>=|!=|=|<|>|I?LIKE\b)\s*(?<values>{Single})|(?<op>IN\b)\s*{List})\s*(?<and>\bAND\s*|\z)",
        RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Clause();

    [GeneratedRegex($@"{Text}|\d+", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture)]
    private static partial Regex Value();
}
