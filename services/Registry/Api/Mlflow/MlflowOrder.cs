using Espalier.Registry.Queries;
using Microsoft.Extensions.Primitives;

namespace Espalier.Registry.Api.Mlflow;

/// <summary>What a search is ordered by: <c>order_by=name ASC</c>. Of several keys the first counts, names and numbers break ties.</summary>
/// <param name="Column">Column.</param>
/// <param name="IsNumber">Whether it holds numbers.</param>
/// <param name="Descending">Largest first.</param>
internal sealed record MlflowOrder(string Column, bool IsNumber, bool Descending)
{
    private static readonly Dictionary<string, (string, bool)> OfModel = new(StringComparer.OrdinalIgnoreCase)
    {
        ["name"] = ("m.name", false), ["timestamp"] = ("m.updated_at", false), ["last_updated_timestamp"] = ("m.updated_at", false), ["creation_timestamp"] = ("m.created_at", false),
    };

    private static readonly Dictionary<string, (string, bool)> OfVersion = new(StringComparer.OrdinalIgnoreCase)
    {
        ["name"] = ("v.name", false), ["version_number"] = ("v.version", true), ["creation_timestamp"] = ("v.created_at", false), ["last_updated_timestamp"] = ("v.created_at", false),
    };

    /// <summary>SQL's word for the direction.</summary>
    public string Direction => Descending ? "desc" : "asc";

    /// <summary>How the keys of the next page compare with the last key of this one.</summary>
    public string Next => Descending ? "<" : ">";

    /// <summary>An order of models; by name unless it is said otherwise.</summary>
    /// <exception cref="MlflowException">There is no such key.</exception>
    public static MlflowOrder OfModels(StringValues text) => Read(text, OfModel, new("m.name", false, false));

    /// <summary>An order of versions; the newest first unless it is said otherwise.</summary>
    /// <exception cref="MlflowException">There is no such key.</exception>
    public static MlflowOrder OfVersions(StringValues text) => Read(text, OfVersion, new("v.created_at", false, true));

    /// <summary>The token of the page after the one that ends with these keys.</summary>
    public string Write(string key, string last) => Cursor.Write($"{Column} {Direction}", key, last);

    /// <summary>The keys in a token, or null without one.</summary>
    /// <exception cref="MlflowException">It belongs to another search.</exception>
    public (string Key, string Last)? Read(string? token) =>
        Cursor.Read(token, 3) is not { } keys ? null
        : keys[0] == $"{Column} {Direction}" ? (keys[1], keys[2])
        : throw MlflowException.Invalid("The page_token belongs to a search with another order_by.");

    private static MlflowOrder Read(StringValues text, Dictionary<string, (string Column, bool IsNumber)> keys, MlflowOrder otherwise)
    {
        foreach (var part in text.Where(t => !string.IsNullOrWhiteSpace(t)).Take(1))
        {
            var words = part!.Split(',')[0].Split(' ', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
            if (words.Length is not (1 or 2) || !keys.TryGetValue(words[0].Trim('`', '"'), out var key) || words.Length == 2 && words[1].ToUpperInvariant() is not ("ASC" or "DESC"))
                throw MlflowException.Invalid($"Invalid order_by '{(part.Length > 100 ? part[..100] : part)}': expected one of {string.Join(", ", keys.Keys.Order(StringComparer.Ordinal))}, then ASC or DESC.");
            return new MlflowOrder(key.Column, key.IsNumber, words.Length == 2 && words[1].Equals("DESC", StringComparison.OrdinalIgnoreCase));
        }
        return otherwise;
    }
}
