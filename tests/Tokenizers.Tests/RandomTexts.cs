using CsCheck;

namespace Espalier.Tokenizers.Tests;

/// <summary>Texts put together from pieces on which tokenizers have been seen to differ.</summary>
internal static class RandomTexts
{
    private static readonly string[] Pieces =
    [
        " ", "  ", "\n", "\r\n", "\t", "\u00A0", "\u3000", "\u2028", "\u0085", "\u200B", "\u200D", "\u2581",
        "the", "The", "house", "n't", "'s", "'S", "'Re", "don", "I", "x", "q\u0323\u0307", "e\u0301", "\u00E9", "\u0130", "\u0131", "\u017F", "\u00DF",
        "0", "7", "42", "1234567", "\u0663\u0664", "\u00BD", "\u2167", "\u2460", "\u24D0", "\U0001D7CE",
        ".", ",", "...", "!?", "-", "_", "//", "#", "\"", "\u201C", "\u2014", "\uFFE5", "<", ">", "<s>", "</s>", "<0x41>", "<mark>",
        "<pad>", "tool", "caf\u00E9",
        "\u6F22\u5B57", "\u304B\u306A", "\u30AB\u30CA", "\uD55C\uAD6D", "\u0915\u094D\u0937", "\u0E01\u0E33", "\u0639\u0631", "\uAC00\u11A8",
        "\U00010400", "\U00020000", "\U0001F600", "\U0001F468\u200D\U0001F469",
        "\U0001F1E9\U0001F1EA", "\U000E0001", "\uE000", "\uFEFF", "\uFFFD", "\u0000", "\u007F",
    ];

    /// <summary>Texts of up to 24 pieces.</summary>
    public static Gen<string> Texts { get; } = Gen.OneOf(Pieces).Array[0, 24].Select(pieces => string.Concat(pieces));

    /// <summary>Compares two encoders on 1,000 texts, and says the shortest on which they differ.</summary>
    public static void Compare(Func<string, int[]> ours, Func<string, int[]> reference) =>
        Texts.Sample(text => ours(text).SequenceEqual(reference(text)), iter: 1000, threads: 1);
}
