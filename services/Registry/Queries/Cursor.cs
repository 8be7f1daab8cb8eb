using System.Buffers.Text;
using System.Globalization;
using System.Text;
using System.Text.Json.Serialization;
using Espalier.Contracts;

namespace Espalier.Registry.Queries;

/// <summary>A page of a list.</summary>
/// <param name="Items">What is on it.</param>
/// <param name="Next">Cursor of the page after it; null on the last one.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, [property: JsonIgnore(Condition = JsonIgnoreCondition.Never)] string? Next)
{
    /// <summary>A page with other items.</summary>
    public Page<TOther> Select<TOther>(Func<T, TOther> map) => new([.. Items.Select(map)], Next);
}

/// <summary>Where a page ended: the sort keys of its last item. A page never moves when items are added before it.</summary>
internal static class Cursor
{
    /// <summary>What is said about a cursor that no page of the list ended with.</summary>
    public const string Foreign = "The cursor does not belong to this list: give back 'next' as it came, or leave it out to start again.";

    private const char Separator = '\u001f';
    private const int LongestCursor = 1000;

    /// <summary>Writes the keys of the last item.</summary>
    public static string Write(params string[] keys) =>
        Base64Url.EncodeToString(Encoding.UTF8.GetBytes(string.Join(Separator, keys)));

    /// <summary>Reads as many keys as expected; null without a cursor.</summary>
    /// <exception cref="UserInputException">The cursor belongs to another list.</exception>
    public static string[]? Read(string? cursor, int keys)
    {
        if (string.IsNullOrEmpty(cursor))
            return null;
        try
        {
            if (cursor.Length <= LongestCursor)
            {
                var parts = Encoding.UTF8.GetString(Base64Url.DecodeFromChars(cursor)).Split(Separator);
                if (parts.Length == keys && parts.All(p => StorableText.FaultOf(p) is null))
                    return parts;
            }
        }
        catch (FormatException)
        {
            // Said below.
        }
        throw new UserInputException(Foreign);
    }

    /// <summary>Reads one number key.</summary>
    public static long Number(string key) =>
        long.TryParse(key, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out var number) ? number : throw new UserInputException(Foreign);

    /// <summary>Cuts a list that was read one longer than the page.</summary>
    public static Page<T> Cut<T>(IReadOnlyList<T> items, int limit, Func<T, string> cursorOf) =>
        items.Count > limit ? new Page<T>([.. items.Take(limit)], cursorOf(items[limit - 1])) : new Page<T>(items, null);
}
