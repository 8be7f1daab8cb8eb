using System.Globalization;
using Espalier.Registry.Search;

namespace Espalier.Registry.Gates;

/// <summary>
/// A condition that a version must meet before an alias may point to it: <c>loss &lt; 3.1 and bytes &lt;= current.bytes * 1.1</c>.
/// <c>current</c> is the version that the alias points to now; while there is none, a comparison with it holds.
/// </summary>
internal sealed class PromotionRule
{
    private readonly SearchNode? _root;

    private PromotionRule(SearchNode? root) => _root = root;

    /// <summary>Reads a rule; an empty one always holds.</summary>
    /// <exception cref="SearchException">It cannot be read.</exception>
    public static PromotionRule Parse(string text) => new(string.IsNullOrWhiteSpace(text) ? null : SearchParser.ParseRule(text));

    /// <summary>The metrics that the rule asks for, of the version or of the current one, each once.</summary>
    public IReadOnlyList<string> Metrics => _root is null ? [] : [.. MetricsOf(_root).Distinct(StringComparer.Ordinal)];

    /// <summary>What fails, in words; empty when the rule holds.</summary>
    public IReadOnlyList<string> Failures(ModelVersion version, ModelVersion? current) => _root is null ? [] : [.. Failures(_root, version, current)];

    private static IEnumerable<string> Failures(SearchNode node, ModelVersion version, ModelVersion? current)
    {
        if (node is Junction { IsAnd: true } all)
            return all.Operands.SelectMany(o => Failures(o, version, current));
        return IsMet(node, version, current) ? [] : [Describe(node, version, current)];
    }

    private static IEnumerable<string> MetricsOf(SearchNode node) => node switch
    {
        Junction junction => junction.Operands.SelectMany(MetricsOf),
        Negation negation => MetricsOf(negation.Operand),
        Comparison comparison => new[] { comparison.Field, comparison.Value.Current }.OfType<SearchField>()
            .Where(f => f.Kind == FieldKind.Metric).Select(f => f.Name),
        _ => [],
    };

    private static bool IsMet(SearchNode node, ModelVersion version, ModelVersion? current) => node switch
    {
        Junction { IsAnd: true } all => all.Operands.All(o => IsMet(o, version, current)),
        Junction any => any.Operands.Any(o => IsMet(o, version, current)),
        Negation negation => !IsMet(negation.Operand, version, current),
        Comparison comparison => IsMet(comparison, version, current),
        _ => false,
    };

    private static bool IsMet(Comparison comparison, ModelVersion version, ModelVersion? current)
    {
        var (field, op, value) = (comparison.Field, comparison.Operator, comparison.Value);
        if (field.Kind == FieldKind.Alias)
            return version.Aliases.Contains(value.Text!) == (op == "=");
        if (field.IsNumeric || field.Kind == FieldKind.Truth)
        {
            if (value.Current is not null && current is null)
                return true;
            return Number(field, version) is { } actual && Expected(value, current) is { } expected && Holds(actual.CompareTo(expected), op);
        }
        var text = Text(field, version);
        return op switch
        {
            "~" => text?.Contains(value.Text!, StringComparison.OrdinalIgnoreCase) == true,
            "=" or "!=" => text == value.Text == (op == "="),
            _ => text is not null && Holds(string.CompareOrdinal(text, value.Text), op),
        };
    }

    private static bool Holds(int order, string op) => op switch
    {
        "<" => order < 0,
        "<=" => order <= 0,
        ">" => order > 0,
        ">=" => order >= 0,
        "!=" => order != 0,
        _ => order == 0,
    };

    private static double? Expected(Operand value, ModelVersion? current) =>
        value.Current is { } field ? current is null ? null : Number(field, current) * value.Factor + value.Offset : value.Number;

    private static double? Number(SearchField field, ModelVersion version) => field.Kind == FieldKind.Metric
        ? version.Measures.TryGetValue(field.Name, out var measure) ? measure.Value : null
        : field.Column switch
        {
            "version" => version.Version,
            "total_parameters" => version.Shape.TotalParameters,
            "active_parameters" => version.Shape.ActiveParameters,
            "size_bytes" => version.SizeBytes,
            "new_bytes" => version.NewBytes,
            "layers" => version.Shape.Layers,
            "experts" => version.Shape.Experts,
            "experts_per_token" => version.Shape.ExpertsPerToken,
            "signatures" => version.Signatures > 0 ? 1 : 0,
            _ => null,
        };

    private static string? Text(SearchField field, ModelVersion version) => field.Kind == FieldKind.Tag
        ? version.Tags.GetValueOrDefault(field.Name)
        : field.Column switch
        {
            "name" => version.Model,
            "created_at" => Queries.Timestamps.Write(version.CreatedAt),
            "family" => version.Shape.Family,
            "step" => version.Step,
            "run_id" => version.RunId.ToString("D"),
            "root" => version.Root.Hex,
            "origin" => version.Origin,
            _ => null,
        };

    private static string Describe(SearchNode node, ModelVersion version, ModelVersion? current) => node switch
    {
        Comparison comparison => $"{Write(comparison, current)} (it is {Found(comparison.Field, version)})",
        Junction junction => string.Join(junction.IsAnd ? " and " : " or ", junction.Operands.Select(o => Describe(o, version, current))),
        Negation negation => $"not {Describe(negation.Operand, version, current)}",
        _ => "",
    };

    private static string Write(Comparison comparison, ModelVersion? current)
    {
        var value = comparison.Value.Current is { } field
            ? $"current.{field.Name} = {Shown(Expected(comparison.Value, current))}"
            : comparison.Value.Text ?? Shown(comparison.Value.Number);
        return $"{comparison.Field.Name} {comparison.Operator} {value}";
    }

    private static string Found(SearchField field, ModelVersion version)
    {
        if (field.Kind == FieldKind.Alias)
            return string.Join(", ", version.Aliases);
        return field.IsNumeric || field.Kind == FieldKind.Truth ? Shown(Number(field, version)) : Text(field, version) ?? "not set";
    }

    private static string Shown(double? number) => number?.ToString("G6", CultureInfo.InvariantCulture) ?? "not measured";
}
