using System.Text.Json;

namespace Espalier.Tokenizers;

/// <summary>
/// What a file must keep to before Hugging Face's library may see it: known steps, bounded sizes, and none of the values on
/// which the library panics or runs without end.
/// </summary>
internal static class PackagedDefinition
{
    private const int MostSteps = 32;
    private const int MostGrowth = 64; // how much longer all replacements together may make a text
    private const int MostWordCharacters = 1000;

    private const string Precompiled = "Precompiled";

    private static readonly string[] Models = ["BPE", "Unigram", "WordLevel", "WordPiece"];

    private static readonly string[] Normalizers =
        ["BertNormalizer", "Lowercase", "NFC", "NFD", "NFKC", "NFKD", "Nmt", Precompiled, "Prepend", "Replace", "Strip", "StripAccents"];

    private static readonly string[] PreTokenizers =
    [
        "BertPreTokenizer", "ByteLevel", "CharDelimiterSplit", "Digits", "Metaspace", "Punctuation", "Split", "UnicodeScripts", "Whitespace",
        "WhitespaceSplit",
    ];

    private static readonly string[] Decoders = ["BPEDecoder", "ByteFallback", "ByteLevel", "Fuse", "Metaspace", "Replace", "Strip", "WordPiece"];

    /// <summary>Vocabulary and added tokens of a file that keeps to all of it.</summary>
    /// <exception cref="InvalidTokenizerException">It does not.</exception>
    public static BpeDefinition Read(ReadOnlyMemory<byte> json)
    {
        using var document = TokenizerJsonReader.Parse(json, TokenizerFiles.Tokenizer);
        var root = document.RootElement;
        var model = TokenizerJsonReader.Section(root, "model") ?? throw Invalid("model", "is missing");
        CheckSteps(root, "normalizer", "normalizers", Normalizers);
        CheckSteps(root, "pre_tokenizer", "pretokenizers", PreTokenizers);
        CheckSteps(root, "decoder", "decoders", Decoders);
        var added = TokenizerJsonReader.ReadAddedTokens(root);
        CheckNormalizedTokens(root, added);
        return new BpeDefinition { Vocabulary = ReadVocabulary(model), Merges = [], AddedTokens = added };
    }

    /// <summary>Checks tokens that are added to those of a file.</summary>
    /// <exception cref="InvalidTokenizerException">The library would panic on one of them.</exception>
    public static void CheckAdded(ReadOnlyMemory<byte> json, IEnumerable<AddedToken> added)
    {
        using var document = TokenizerJsonReader.Parse(json, TokenizerFiles.Tokenizer);
        CheckNormalizedTokens(document.RootElement, added);
    }

    // The library panics on an added token of which the normalizer leaves nothing. Replace and a character map may take anything
    // away; the other steps keep printable ASCII and Chinese characters.
    private static void CheckNormalizedTokens(JsonElement root, IEnumerable<AddedToken> added)
    {
        if (TokenizerJsonReader.Section(root, "normalizer") is not { } normalizer)
            return;
        var replaces = MayTakeAway(normalizer);
        foreach (var token in added.Where(token => token.Normalized))
        {
            if (replaces || !token.Content.Any(c => c is (> ' ' and <= '~') or (>= '\u4E00' and <= '\u9FFF')))
            {
                throw Invalid("added_tokens",
                    $"'{token.Content}' is normalized, and the normalizer may leave nothing of it; set its 'normalized' to false");
            }
        }

        static bool MayTakeAway(JsonElement step) => TokenizerJsonReader.Text(step, "type") == "Sequence"
            ? TokenizerJsonReader.Steps(step, "normalizers", "normalizer").Any(MayTakeAway)
            : TokenizerJsonReader.Text(step, "type") is "Replace" or Precompiled;
    }

    private static Dictionary<string, int> ReadVocabulary(JsonElement model)
    {
        var type = TokenizerJsonReader.Text(model, "type");
        if (!Models.Contains(type))
            throw Invalid("model.type", $"is '{type}'; supported: {string.Join(", ", Models)}");
        if (!model.TryGetProperty("vocab", out var entries))
            throw Invalid("model.vocab", "is missing");
        if (IsEmpty(entries))
            throw Invalid("model.vocab", "is empty");
        var vocabulary = type == "Unigram" ? ReadScores(model, entries) : TokenizerJsonReader.ReadVocabulary(entries, "model.vocab");
        if (type == "BPE")
            CheckMerges(model);
        if (model.TryGetProperty("max_input_chars_per_word", out var longest)
            && !(longest.ValueKind == JsonValueKind.Number && longest.TryGetInt32(out var characters) && characters is > 0 and <= MostWordCharacters))
            throw Invalid("model.max_input_chars_per_word", $"is {longest.GetRawText()}; expected 1 to {MostWordCharacters}");
        return vocabulary;
    }

    private static bool IsEmpty(JsonElement entries) => entries.ValueKind switch
    {
        JsonValueKind.Array => entries.GetArrayLength() == 0,
        JsonValueKind.Object => !entries.EnumerateObject().Any(),
        _ => false,
    };

    // Unigram: pairs of token and logarithm of its probability; the place is the id.
    private static Dictionary<string, int> ReadScores(JsonElement model, JsonElement entries)
    {
        if (entries.ValueKind != JsonValueKind.Array || entries.GetArrayLength() > TokenizerJsonReader.MaxEntries)
            throw Invalid("model.vocab", $"is not an array of at most {TokenizerJsonReader.MaxEntries} pairs");
        var vocabulary = new Dictionary<string, int>();
        foreach (var entry in entries.EnumerateArray())
        {
            if (entry.ValueKind != JsonValueKind.Array || entry.GetArrayLength() != 2 || entry[0].ValueKind != JsonValueKind.String
                || entry[1].ValueKind != JsonValueKind.Number || !double.IsFinite(entry[1].GetDouble()))
                throw Invalid($"model.vocab[{vocabulary.Count}]", "is not a pair of token and score");
            var token = entry[0].GetString()!;
            if (token.Length is 0 or > TokenizerJsonReader.MaxTokenLength || !vocabulary.TryAdd(token, vocabulary.Count))
            {
                throw Invalid($"model.vocab[{vocabulary.Count}]",
                    $"is empty, longer than {TokenizerJsonReader.MaxTokenLength} characters, or there twice");
            }
        }
        return Number(model, "unk_id") is { } unknown && unknown >= 0 && unknown < vocabulary.Count
            ? vocabulary
            : throw Invalid("model.unk_id", "is not the place of a token in model.vocab");
    }

    private static void CheckMerges(JsonElement model)
    {
        if (!model.TryGetProperty("merges", out var merges))
            throw Invalid("model.merges", "is missing");
        var prefix = TokenizerJsonReader.Text(model, "continuing_subword_prefix") ?? "";
        foreach (var (left, right) in TokenizerJsonReader.ReadMerges(merges))
        {
            // The library cuts the prefix off without looking.
            if (!right.StartsWith(prefix, StringComparison.Ordinal))
                throw Invalid("model.merges", $"'{left} {right}' lacks the continuing_subword_prefix '{prefix}'");
        }
        if (model.TryGetProperty("dropout", out var dropout) && dropout.ValueKind == JsonValueKind.Number && dropout.GetDouble() != 0)
            throw Invalid("model.dropout", "is set: ids would be random. Set it to null");
    }

    private static void CheckSteps(JsonElement root, string section, string list, string[] known)
    {
        if (TokenizerJsonReader.Section(root, section) is not { } steps)
            return;
        var (count, growth) = (0, 1L);
        Visit(steps);

        void Visit(JsonElement step)
        {
            if (++count > MostSteps)
                throw Invalid(section, $"has more than {MostSteps} steps");
            if (TokenizerJsonReader.Text(step, "type") == "Sequence")
            {
                foreach (var inner in TokenizerJsonReader.Steps(step, list, section))
                    Visit(inner);
                return;
            }
            CheckStep(step, section, known);
            growth *= Math.Max(1, GrowthOf(step, section));
            if (growth > MostGrowth)
                throw Invalid(section, $"may make a text more than {MostGrowth} times as long");
        }
    }

    private static int GrowthOf(JsonElement step, string section)
    {
        if (TokenizerJsonReader.Text(step, "type") != Precompiled)
            return (TokenizerJsonReader.Text(step, "content") ?? TokenizerJsonReader.Text(step, "prepend") ?? "").Length;
        try
        {
            var map = CharacterMap.Read(Convert.FromBase64String(TokenizerJsonReader.Text(step, "precompiled_charsmap") ?? ""));
            return map.LongestReplacement;
        }
        catch (FormatException exception)
        {
            throw Invalid($"{section}.precompiled_charsmap", $"is damaged: {exception.Message}");
        }
    }

    private static void CheckStep(JsonElement step, string section, string[] known)
    {
        var type = TokenizerJsonReader.Text(step, "type");
        if (!known.Contains(type))
            throw Invalid(section, $"'{type}' is not supported; supported: {string.Join(", ", known)}");
        if (TokenizerJsonReader.Section(step, "pattern") is { } pattern)
        {
            if (TokenizerJsonReader.Text(pattern, "Regex") is { } expression && !IsBounded(expression))
            {
                throw Invalid($"{section}.pattern",
                    $"'{expression[..Math.Min(60, expression.Length)]}' may run for hours: "
                    + "only well-known split expressions and those with one repetition are read");
            }
            if (TokenizerJsonReader.Text(pattern, "String") is { Length: 0 or > TokenizerJsonReader.MaxTokenLength })
                throw Invalid($"{section}.pattern", $"needs 1 to {TokenizerJsonReader.MaxTokenLength} characters");
        }
        // Beyond the length of a token the library reads outside of it.
        if (section == "decoder" && type == "Strip" && !(Number(step, "stop") == 0 && Number(step, "start") is 0 or 1))
            throw Invalid("decoder", "strips more than one character at the start of a token; that is not supported");
    }

    // The library's engine panics where an expression takes too long; one repetition and no group cannot.
    private static bool IsBounded(string expression) =>
        SplitPatterns.Find(expression) is not null
        || expression.Length <= TokenizerJsonReader.MaxTokenLength && !expression.Contains('(', StringComparison.Ordinal)
            && expression.Count(c => c is '*' or '+' or '{' or '?') <= 1;

    private static int? Number(JsonElement parent, string name) =>
        parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number)
            ? number
            : null;

    private static InvalidTokenizerException Invalid(string place, string problem) => new($"{TokenizerFiles.Tokenizer}: {place} {problem}.");
}
