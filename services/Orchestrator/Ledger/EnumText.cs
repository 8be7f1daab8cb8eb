using System.Text.Json;

namespace Espalier.Orchestrator.Ledger;

/// <summary>How enums are written in the database: kebab-case words, never numbers.</summary>
internal static class EnumText
{
    /// <summary>The word of a value.</summary>
    public static string Of<T>(T value) where T : struct, Enum => Names<T>.ByValue[value];

    /// <summary>The value of a word.</summary>
    public static T Parse<T>(string word) where T : struct, Enum =>
        Names<T>.ByWord.TryGetValue(word, out var value)
            ? value
            : throw new InvalidDataException($"The ledger holds '{word}', which is not a {typeof(T).Name}.");

    /// <summary>The value of a word that somebody wrote; false when it is none.</summary>
    public static bool TryParse<T>(string word, out T value) where T : struct, Enum => Names<T>.ByWord.TryGetValue(word, out value);

    /// <summary>Every word.</summary>
    public static IEnumerable<string> Words<T>() where T : struct, Enum => Names<T>.ByWord.Keys;

    /// <summary>A type's name as a word.</summary>
    public static string KebabOf(string name) => JsonNamingPolicy.KebabCaseLower.ConvertName(name);

    private static class Names<T> where T : struct, Enum
    {
        public static readonly Dictionary<T, string> ByValue =
            Enum.GetValues<T>().ToDictionary(v => v, v => JsonNamingPolicy.KebabCaseLower.ConvertName(v.ToString()));

        public static readonly Dictionary<string, T> ByWord = ByValue.ToDictionary(p => p.Value, p => p.Key, StringComparer.Ordinal);
    }
}
