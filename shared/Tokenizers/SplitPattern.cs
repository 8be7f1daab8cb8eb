namespace Espalier.Tokenizers;

/// <summary>How text is cut into pieces before merging; tokens never cross a piece.</summary>
public enum SplitPattern
{
    /// <summary>The pattern built into byte-level pre-tokenizers.</summary>
    Gpt2,

    /// <summary>Digits in groups of up to three, case-insensitive contractions.</summary>
    Llama3,

    /// <summary>As <see cref="Llama3"/> with single digits.</summary>
    Qwen2,

    /// <summary>As <see cref="Qwen2"/>, and combining marks belong to words.</summary>
    Qwen35,
}

/// <summary>The exact regular expressions that tokenizer files spell for each <see cref="SplitPattern"/>.</summary>
internal static class SplitPatterns
{
    private const string Contractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
    private const string Spaces = @"|\s*[\r\n]+|\s+(?!\S)|\s+";

    private static readonly Dictionary<string, SplitPattern> ByExpression = new()
    {
        [@"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"] = SplitPattern.Gpt2,
        [Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + Spaces] = SplitPattern.Llama3,
        [Contractions + @"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + Spaces] = SplitPattern.Qwen2,
        [Contractions + @"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + Spaces] = SplitPattern.Qwen35,
    };

    /// <summary>The expression of a pattern.</summary>
    public static string ExpressionOf(SplitPattern pattern) => ByExpression.First(entry => entry.Value == pattern).Key;

    /// <summary>The pattern that an expression from a tokenizer file spells, if we know it.</summary>
    public static SplitPattern? Find(string expression) =>
        ByExpression.TryGetValue(expression, out var pattern) ? pattern : null;
}
