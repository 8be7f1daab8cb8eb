namespace Espalier.Registry.Search;

/// <summary>What kind of value a field has.</summary>
internal enum FieldKind
{
    Number,
    Bytes,
    Text,
    Time,
    Truth,
    Alias,
    Tag,
    Metric,
}

/// <summary>Something that can be asked about a version.</summary>
/// <param name="Kind">Kind of value.</param>
/// <param name="Name">As written: <c>params.active</c>; for tags and metrics their own name.</param>
/// <param name="Column">Column of the table; empty for tags, aliases and all but the commonest metrics.</param>
internal sealed record SearchField(FieldKind Kind, string Name, string Column)
{
    private const string TagPrefix = "tag.", MetricPrefix = "metric.";

    private static readonly Dictionary<string, SearchField> Known = new SearchField[]
    {
        new(FieldKind.Text, "model", "name"),
        new(FieldKind.Text, "name", "name"),
        new(FieldKind.Number, "version", "version"),
        new(FieldKind.Time, "created", "created_at"),
        new(FieldKind.Number, "params", "total_parameters"),
        new(FieldKind.Number, "params.total", "total_parameters"),
        new(FieldKind.Number, "params.active", "active_parameters"),
        new(FieldKind.Bytes, "bytes", "size_bytes"),
        new(FieldKind.Bytes, "bytes.logical", "size_bytes"),
        new(FieldKind.Bytes, "bytes.new", "new_bytes"),
        new(FieldKind.Number, "layers", "layers"),
        new(FieldKind.Number, "experts", "experts"),
        new(FieldKind.Number, "top-k", "experts_per_token"),
        new(FieldKind.Text, "family", "family"),
        new(FieldKind.Text, "step", "step"),
        new(FieldKind.Text, "stage", "stage"),
        new(FieldKind.Text, "run", "run_id"),
        new(FieldKind.Text, "root", "root"),
        new(FieldKind.Text, "origin", "origin"),
        new(FieldKind.Truth, "signed", "signatures"),
        new(FieldKind.Alias, "alias", ""),
        new(FieldKind.Metric, "loss", "loss"),
        new(FieldKind.Metric, "perplexity", "perplexity"),
        new(FieldKind.Metric, "bits-per-byte", "bits_per_byte"),
        new(FieldKind.Metric, "accuracy", "accuracy"),
    }.ToDictionary(f => f.Name, StringComparer.Ordinal);

    /// <summary>Every field but tags and metrics, whose names are free.</summary>
    public static IReadOnlyCollection<string> Names { get; } = [.. Known.Values.Where(f => f.Kind != FieldKind.Metric).Select(f => f.Name)];

    /// <summary>The field of a name; a name outside the fixed ones means a metric.</summary>
    public static SearchField Of(string name)
    {
        if (Known.TryGetValue(name, out var field))
            return field;
        if (name.StartsWith(TagPrefix, StringComparison.Ordinal))
            return new SearchField(FieldKind.Tag, name[TagPrefix.Length..], "");
        var metric = name.StartsWith(MetricPrefix, StringComparison.Ordinal) ? name[MetricPrefix.Length..] : name;
        return Known.TryGetValue(metric, out var common) && common.Kind == FieldKind.Metric ? common : new SearchField(FieldKind.Metric, metric, "");
    }

    /// <summary>Whether values of it are numbers.</summary>
    public bool IsNumeric => Kind is FieldKind.Number or FieldKind.Bytes or FieldKind.Metric;

    /// <summary>Whether a list can be ordered by it.</summary>
    public bool CanOrder => IsNumeric || Kind is FieldKind.Time || Column == "name";
}
