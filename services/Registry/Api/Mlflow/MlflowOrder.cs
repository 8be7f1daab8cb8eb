using Espalier.Registry.Queries;
using Microsoft.Extensions.Primitives;

namespace Espalier.Registry.Api.Mlflow;

/// <summary>
/// What a search is ordered by: <c>order_by=name ASC</c>. Of several keys the first counts, names and numbers break ties. Time
/// stamps order by what they stand for, the sequence of changes: the clock that wrote them may have been set back in between.
/// </summary>
/// <param name="Column">Column.</param>
/// <param name="IsNumber">Whether it holds numbers.</param>
/// <param name="Descending">Largest first.</param>
internal sealed record MlflowOrder(string Column, bool IsNumber, bool Descending)
{
    private const int LongestShown = 100;

    private static readonly Dictionary<string, MlflowOrder> OfModel = new(StringComparer.OrdinalIgnoreCase)
    {
        ["name"] = new("m.name", IsNumber: false, Descending: false),
        ["timestamp"] = new("m.changed", IsNumber: true, Descending: false),
        ["last_updated_timestamp"] = new("m.changed", IsNumber: true, Descending: false),
        ["creation_timestamp"] = new("m.number", IsNumber: true, Descending: false),
    };

    private static readonly Dictionary<string, MlflowOrder> OfVersion = new(StringComparer.OrdinalIgnoreCase)
    {
        ["name"] = new("v.name", IsNumber: false, Descending: false),
        ["version_number"] = new("v.version", IsNumber: true, Descending: false),
        ["creation_timestamp"] = new("v.id", IsNumber: true, Descending: false),
        ["last_updated_timestamp"] = new("v.id", IsNumber: true, Descending: false),
    };

    /// <summary>SQL's word for the direction.</summary>
    public string Direction => Descending ? "desc" : "asc";

    /// <summary>How the keys of the next page compare with the last key of this one.</summary>
    public string Next => Descending ? "<" : ">";

    /// <summary>An order of models; by name unless it is said otherwise.</summary>
    /// <exception cref="MlflowException">There is no such key.</exception>
    public static MlflowOrder OfModels(StringValues text) => Read(text, OfModel, OfModel["name"]);

    /// <summary>An order of versions; the newest first unless it is said otherwise.</summary>
    /// <exception cref="MlflowException">There is no such key.</exception>
    public static MlflowOrder OfVersions(StringValues text) => Read(text, OfVersion, OfVersion["creation_timestamp"] with { Descending = true });

    /// <summary>The token of the page after the one that ends with these keys.</summary>
    public string Write(string key, string last) => Cursor.Write($"{Column} {Direction}", key, last);

    /// <summary>The keys in a token, a number where the column holds numbers; null without a token.</summary>
    /// <exception cref="MlflowException">It belongs to another search.</exception>
    public (object Key, string Last)? Read(string? token)
    {
        if (Cursor.Read(token, 3) is not { } keys)
            return null;
        if (keys[0] != $"{Column} {Direction}")
            throw MlflowException.Invalid("The page_token belongs to a search with another order_by.");
        return (IsNumber ? Cursor.Number(keys[1]) : keys[1], keys[2]);
    }

    private static MlflowOrder Read(StringValues text, Dictionary<string, MlflowOrder> keys, MlflowOrder otherwise)
    {
        if (text.FirstOrDefault(t => !string.IsNullOrWhiteSpace(t)) is not { } part)
            return otherwise;
        var words = part.Split(',')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        if (words.Length is 1 or 2
            && keys.TryGetValue(MlflowIdentifier.Unquote(words[0]), out var order)
            && words.ElementAtOrDefault(1)?.ToUpperInvariant() is null or "ASC" or "DESC")
        {
            return order with { Descending = words.Length == 2 && words[1].Equals("DESC", StringComparison.OrdinalIgnoreCase) };
        }
        var shown = part.Length > LongestShown ? part[..LongestShown] : part;
        throw MlflowException.Invalid(
            $"Invalid order_by '{shown}': expected one of {string.Join(", ", keys.Keys.Order(StringComparer.Ordinal))}, then ASC or DESC.");
    }
}
