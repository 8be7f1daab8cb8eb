using System.Globalization;
using Espalier.Contracts;
using Espalier.Registry.Queries;

namespace Espalier.Registry.Search;

/// <summary>What a search is sorted by, in SQL.</summary>
/// <param name="order">What the query says; null sorts by registration, the newest first.</param>
internal sealed class SearchSort(SearchOrder? order)
{
    private bool IsMetric => order?.Field.Kind == FieldKind.Metric;

    /// <summary>By registration: also where the query says 'created', since the clock may have been set back in between.</summary>
    private bool IsById => order is null || order.Field.Kind == FieldKind.Time;

    private bool IsText => order?.Field is { IsNumeric: false };

    /// <summary>Table whose index has the order.</summary>
    public string Table => IsMetric ? "registry_fact o" : "registry_version v";

    /// <summary>Sort key, and the id that breaks ties.</summary>
    public (string Key, string Id) Columns =>
        IsById ? ("v.id", "v.id") : IsMetric ? ("o.value", "o.version_id") : ($"v.{order!.Field.Column}", "v.id");

    /// <summary>The same as expressions, which no index has: for reading everything and keeping the first.</summary>
    public (string Key, string Id) Expressions
    {
        get
        {
            const string Id = "v.id + 0";
            var key = IsById ? Id
                : IsMetric && !IsInVersion ? "o.value + 0"
                : IsText ? $"v.{order!.Field.Column} || ''"
                : $"v.{order!.Field.Column} + 0";
            return (key, Id);
        }
    }

    /// <summary>Whether a version itself has the key.</summary>
    public bool IsInVersion => !IsMetric || order!.Field.Column.Length > 0;

    private bool Descending => order?.Descending ?? true;

    /// <summary>What belongs to the order itself: only versions that have the metric are in it.</summary>
    public string? Condition(SearchSql sql, bool inVersion) =>
        !IsMetric ? null : inVersion ? $"v.{order!.Field.Column} is not null" : $"o.metric = {sql.Add(order!.Field.Name)}";

    /// <summary><c>order by</c>.</summary>
    public string OrderBy((string Key, string Id) by)
    {
        var direction = Descending ? "desc" : "asc";
        return IsById ? $"order by {by.Key} {direction}" : $"order by {by.Key} {direction}, {by.Id} {direction}";
    }

    /// <summary>What comes after a place in the list.</summary>
    public string After(SearchSql sql, (string Key, string Id) by, SortedPlace place) => Compare(sql, by, Descending ? "<" : ">", place);

    /// <summary>What comes before a place in the list, and that place.</summary>
    public string UpTo(SearchSql sql, (string Key, string Id) by, SortedPlace place) => Compare(sql, by, Descending ? ">=" : "<=", place);

    /// <summary>The place where a page ended.</summary>
    /// <exception cref="UserInputException">It is not a cursor, or belongs to another order.</exception>
    public SortedPlace? Read(string? cursor)
    {
        if (Cursor.Read(cursor, 3) is not { } keys)
            return null;
        if (keys[0] != Name)
            throw new UserInputException("The cursor belongs to another order: leave it out to start again.");
        return new SortedPlace(Typed(keys[1]), Cursor.Number(keys[2]));
    }

    /// <summary>The cursor of a place.</summary>
    public string Write(SortedPlace place) => Cursor.Write(Name, Convert.ToString(place.Key, CultureInfo.InvariantCulture)!, $"{place.Id}");

    private string Name => order is null ? "" : $"{order.Field.Name} {order.Descending}";

    private string Compare(SearchSql sql, (string Key, string Id) by, string sign, SortedPlace place) =>
        IsById ? $"{by.Id} {sign} {sql.Add(place.Id)}" : $"({by.Key}, {by.Id}) {sign} ({sql.Add(place.Key)}, {sql.Add(place.Id)})";

    private object Typed(string key) => IsById || IsText ? key
        : !IsMetric ? Cursor.Number(key)
        : double.TryParse(key, NumberStyles.Float, CultureInfo.InvariantCulture, out var value) && double.IsFinite(value) ? value
        : throw new UserInputException(Cursor.Foreign);
}

/// <summary>A place in a sorted list.</summary>
internal readonly record struct SortedPlace(object Key, long Id);
