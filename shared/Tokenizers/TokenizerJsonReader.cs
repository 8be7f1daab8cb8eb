using System.Text;
using System.Text.Json;

namespace Espalier.Tokenizers;

/// <summary>
/// Reads <c>tokenizer.json</c> version 1.0 of BPE tokenizers, byte-level or with marks for spaces. The file is hostile until proven
/// otherwise: sizes are bounded, every message names the file and the entry, and what we cannot reproduce exactly is refused.
/// </summary>
internal static partial class TokenizerJsonReader
{
    private const int MaxFileBytes = 64 << 20;
    private const int MaxDepth = 32;
    internal const int MaxEntries = 1 << 20;
    internal const int MaxTokenLength = 4096;

    /// <summary>Longest token where every way to cut it is looked at, which takes the square of its length.</summary>
    internal const int MaxSpelledLength = 512;

    private const int MostCuts = 32;

    private const string File = TokenizerFiles.Tokenizer;

    public static BpeDefinition Read(ReadOnlyMemory<byte> json)
    {
        using var document = Parse(json, File);
        var root = document.RootElement;
        var model = Section(root, "model") ?? throw Invalid("model", "is missing");
        CheckModel(model);

        var definition = new BpeDefinition
        {
            Vocabulary = ReadVocabulary(model.GetProperty("vocab"), "model.vocab"),
            Merges = ReadMerges(model.GetProperty("merges")),
            AddedTokens = ReadAddedTokens(root),
            IgnoreMerges = Flag(model, "ignore_merges", false, "model"),
            UnknownToken = Text(model, "unk_token"),
            FuseUnknown = Flag(model, "fuse_unk", false, "model"),
        };
        if (IsMetaspace(root))
            return Check(definition with { Metaspace = ReadMetaspace(root, Flag(model, "byte_fallback", false, "model")) });
        definition = definition with { Compose = ReadNormalizer(Section(root, "normalizer")) };
        definition = ReadPreTokenizer(definition, Section(root, "pre_tokenizer"));
        CheckDecoder(Section(root, "decoder"));
        return Check(definition, Flag(model, "byte_fallback", false, "model"));
    }

    public static BpeDefinition ReadVocabularyAndMerges(ReadOnlyMemory<byte> vocabularyJson, ReadOnlyMemory<byte> mergesText)
    {
        using var document = Parse(vocabularyJson, TokenizerFiles.Vocabulary);
        if (mergesText.Length > MaxFileBytes)
            throw new InvalidTokenizerException($"{TokenizerFiles.Merges} is {mergesText.Length} bytes long; at most {MaxFileBytes} are read.");
        var merges = Encoding.UTF8.GetString(WithoutMark(mergesText).Span).Split('\n')
            .Select(line => line.TrimEnd('\r'))
            .Where((line, index) => line.Length > 0 && !(index == 0 && line.StartsWith("#version", StringComparison.Ordinal)))
            .Select((line, index) => SplitMerge(line, index))
            .ToList();
        return Check(new BpeDefinition { Vocabulary = ReadVocabulary(document.RootElement, TokenizerFiles.Vocabulary), Merges = merges }, byteFallback: false);
    }

    /// <summary>Parses a JSON file within the limits.</summary>
    public static JsonDocument Parse(ReadOnlyMemory<byte> json, string file)
    {
        if (json.Length > MaxFileBytes)
            throw new InvalidTokenizerException($"{file} is {json.Length} bytes long; at most {MaxFileBytes} are read.");
        try
        {
            return JsonDocument.Parse(WithoutMark(json), new JsonDocumentOptions { MaxDepth = MaxDepth });
        }
        catch (JsonException exception)
        {
            throw new InvalidTokenizerException($"{file} is not valid JSON: {exception.Message}", exception);
        }
    }

    /// <summary>The text after a byte-order mark, which some editors put first.</summary>
    internal static ReadOnlyMemory<byte> WithoutMark(ReadOnlyMemory<byte> text) => text.Span.StartsWith("\uFEFF"u8) ? text[3..] : text;

    private static void CheckModel(JsonElement model)
    {
        if (Text(model, "type") is { } type && type != "BPE")
            throw Unsupported("model.type", $"is '{type}'; only BPE is supported");
        foreach (var name in (string[])["vocab", "merges"])
        {
            if (!model.TryGetProperty(name, out _))
                throw Invalid($"model.{name}", "is missing; only BPE with merges is supported");
        }
        foreach (var name in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (Text(model, name) is { Length: > 0 } affix)
                throw Unsupported($"model.{name}", $"is '{affix}'; byte-level tokenizers have none");
        }
        if (model.TryGetProperty("dropout", out var dropout) && dropout.ValueKind == JsonValueKind.Number && dropout.GetDouble() != 0)
            throw Invalid("model.dropout", "is set: ids would be random. Set it to null");
    }

    internal static Dictionary<string, int> ReadVocabulary(JsonElement vocabulary, string place)
    {
        if (vocabulary.ValueKind != JsonValueKind.Object)
            throw Invalid(place, "is not an object of token to id");
        var ids = new Dictionary<string, int>();
        var seen = new HashSet<int>();
        foreach (var entry in vocabulary.EnumerateObject())
        {
            var token = entry.Name;
            if (ids.Count >= MaxEntries)
                throw Invalid(place, $"has more than {MaxEntries} entries");
            if (token.Length > MaxTokenLength)
                throw Invalid($"{place}[\"{token[..32]}...\"]", $"is longer than {MaxTokenLength} characters");
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id) || id is < 0 or >= 2 * MaxEntries)
                throw Invalid($"{place}[\"{token}\"]", $"is {entry.Value.GetRawText()}; expected an id from 0 to {2 * MaxEntries - 1}");
            if (!ids.TryAdd(token, id))
                throw Invalid($"{place}[\"{token}\"]", "appears twice");
            if (!seen.Add(id))
                throw Invalid($"{place}[\"{token}\"]", $"has id {id}, which another token has");
        }
        return ids;
    }

    internal static List<(string, string)> ReadMerges(JsonElement merges)
    {
        if (merges.ValueKind != JsonValueKind.Array)
            throw Invalid("model.merges", "is not an array");
        if (merges.GetArrayLength() > MaxEntries)
            throw Invalid("model.merges", $"has more than {MaxEntries} entries");
        return [.. merges.EnumerateArray().Select(ReadMerge)];
    }

    // "a b", or ["a", "b"] in files of tokenizers 0.20 and later.
    private static (string, string) ReadMerge(JsonElement merge, int index) => merge.ValueKind switch
    {
        JsonValueKind.String => SplitMerge(merge.GetString()!, index),
        JsonValueKind.Array when merge.GetArrayLength() == 2 && merge.EnumerateArray().All(p => p.ValueKind == JsonValueKind.String) =>
            (merge[0].GetString()!, merge[1].GetString()!),
        _ => throw Invalid($"model.merges[{index}]", "is neither \"a b\" nor [\"a\", \"b\"]"),
    };

    private static (string, string) SplitMerge(string merge, int index)
    {
        var parts = merge.Split(' ');
        return parts.Length == 2 && parts[0].Length > 0 && parts[1].Length > 0
            ? (parts[0], parts[1])
            : throw Invalid($"model.merges[{index}]", $"is '{merge}'; expected two tokens with one space between");
    }

    internal static List<AddedToken> ReadAddedTokens(JsonElement root)
    {
        var tokens = new List<AddedToken>();
        if (Section(root, "added_tokens", JsonValueKind.Array) is not { } added)
            return tokens;
        if (added.GetArrayLength() > MaxEntries)
            throw Invalid("added_tokens", $"has more than {MaxEntries} entries");
        foreach (var token in added.EnumerateArray())
        {
            var place = $"added_tokens[{tokens.Count}]";
            if (token.ValueKind != JsonValueKind.Object || Text(token, "content") is not { Length: > 0 and <= MaxTokenLength } content)
                throw Invalid(place, $"needs a content of 1 to {MaxTokenLength} characters");
            if (!token.TryGetProperty("id", out var idElement) || idElement.ValueKind != JsonValueKind.Number
                || !idElement.TryGetInt32(out var id) || id is < 0 or >= 2 * MaxEntries)
                throw Invalid(place, $"'{content}' needs an id from 0 to {2 * MaxEntries - 1}");
            tokens.Add(new AddedToken(id, content,
                Special: Flag(token, "special", false, place),
                Normalized: Flag(token, "normalized", false, place),
                SingleWord: Flag(token, "single_word", false, place),
                StripLeft: Flag(token, "lstrip", false, place),
                StripRight: Flag(token, "rstrip", false, place)));
        }
        return tokens;
    }

    private static bool ReadNormalizer(JsonElement? normalizer)
    {
        if (normalizer is not { } section)
            return false;
        var steps = Steps(section, "normalizers", "normalizer");
        foreach (var step in steps)
        {
            if (Text(step, "type") != "NFC")
                throw Unsupported("normalizer", $"'{Text(step, "type")}' is not supported; only NFC or none is");
        }
        return steps.Count > 0;
    }

    private static BpeDefinition ReadPreTokenizer(BpeDefinition definition, JsonElement? preTokenizer)
    {
        var section = preTokenizer ?? throw Unsupported("pre_tokenizer", "is missing; only byte-level and Metaspace tokenizers are supported");
        var steps = Steps(section, "pretokenizers", "pre_tokenizer");
        if (steps.Count is 0 or > MostCuts || Text(steps[^1], "type") != "ByteLevel")
            throw Unsupported("pre_tokenizer", $"does not end in ByteLevel, alone or after at most {MostCuts - 1} of Split and Digits");

        var prefix = Flag(steps[^1], "add_prefix_space", true, "pre_tokenizer");
        var useRegex = Flag(steps[^1], "use_regex", true, "pre_tokenizer");
        if (steps.Count == 1)
        {
            return useRegex
                ? definition with { Pattern = SplitPattern.Gpt2, AddPrefixSpace = prefix }
                : throw Invalid("pre_tokenizer", "cuts nothing: use_regex is false and there is no Split");
        }
        if (prefix)
            throw Invalid("pre_tokenizer.pretokenizers", "puts a space before every piece: set add_prefix_space of ByteLevel to false");
        if (steps.Count == 2 && !useRegex && Text(steps[0], "behavior") == "Isolated" && Section(steps[0], "pattern") is { } pattern
            && SplitPatterns.Find(Text(pattern, "Regex") ?? "") is { } known)
            return definition with { Pattern = known };
        var cuts = steps.Take(steps.Count - 1).Select((step, index) => ReadCut(step, $"pre_tokenizer.pretokenizers[{index}]"));
        return definition with { Cuts = useRegex ? [.. cuts, new TextCut(null)] : [.. cuts] };
    }

    private static TextCut ReadCut(JsonElement step, string place)
    {
        if (Text(step, "type") == "Digits")
            return new TextCut(CutExpression.Compile(Flag(step, "individual_digits", false, place) ? @"\p{N}" : @"\p{N}+"));
        if (Text(step, "type") != "Split")
            throw Unsupported(place, $"is '{Text(step, "type")}'; before ByteLevel only Split and Digits are supported");
        var invert = Flag(step, "invert", false, place);
        var pattern = Section(step, "pattern") ?? throw Invalid(place, "has no pattern");
        try
        {
            var expression = CutExpression.Compile(Text(pattern, "Regex") ?? System.Text.RegularExpressions.Regex.Escape(
                Text(pattern, "String") ?? throw Invalid($"{place}.pattern", "has neither Regex nor String")));
            return Text(step, "behavior") switch
            {
                "Isolated" => new TextCut(expression),
                "Removed" => new TextCut(expression, KeepsMatches: invert, KeepsRest: !invert),
                var behavior => throw Unsupported($"{place}.behavior", $"is '{behavior}'; supported: Isolated, Removed"),
            };
        }
        catch (FormatException exception)
        {
            throw Invalid($"{place}.pattern", exception.Message);
        }
    }

    private static void CheckDecoder(JsonElement? decoder)
    {
        if (decoder is { } section && Steps(section, "decoders", "decoder").Any(s => Text(s, "type") is not ("ByteLevel" or "Fuse")))
            throw Unsupported("decoder", "is not ByteLevel");
    }

    private static BpeDefinition Check(BpeDefinition definition, bool byteFallback)
    {
        if (byteFallback && ByteAlphabet.Sorted.Any(c => !definition.Vocabulary.ContainsKey(c.ToString())))
            throw Invalid("model.byte_fallback", "is set, and model.vocab lacks some of the 256 bytes; give it all of them");
        return Check(definition);
    }

    private static BpeDefinition Check(BpeDefinition definition)
    {
        var vocabulary = definition.Vocabulary;
        for (var i = 0; i < definition.Merges.Count; i++)
        {
            var (left, right) = definition.Merges[i];
            foreach (var token in (string[])[left, right, left + right])
            {
                if (!vocabulary.ContainsKey(token))
                    throw Invalid($"model.merges[{i}]", $"'{left} {right}' needs '{token}', which is not in model.vocab");
            }
        }
        if (definition.UnknownToken is { } unknown && !vocabulary.ContainsKey(unknown))
            throw Invalid("model.unk_token", $"'{unknown}' is not in model.vocab");
        if (definition.Metaspace is { ByteFallback: true }
            && Enumerable.Range(0, 256).Any(value => !vocabulary.ContainsKey(MetaspaceBpe.ByteToken(value))))
            throw Invalid("model.byte_fallback", "is set, and model.vocab lacks some of the 256 tokens from <0x00> to <0xFF>; give it all of them");
        return definition;
    }

    // A section is one step, or a Sequence of steps.
    internal static IReadOnlyList<JsonElement> Steps(JsonElement section, string listName, string place)
    {
        if (Text(section, "type") != "Sequence")
            return [section];
        return section.TryGetProperty(listName, out var list) && list.ValueKind == JsonValueKind.Array
            && list.EnumerateArray().All(s => s.ValueKind == JsonValueKind.Object)
            ? [.. list.EnumerateArray()]
            : throw Invalid(place, $"is a Sequence without '{listName}'");
    }

    internal static JsonElement? Section(JsonElement parent, string name, JsonValueKind kind = JsonValueKind.Object)
    {
        if (parent.ValueKind != JsonValueKind.Object)
            throw Invalid(name, "cannot be read: what holds it is not an object");
        if (!parent.TryGetProperty(name, out var section) || section.ValueKind == JsonValueKind.Null)
            return null;
        return section.ValueKind == kind ? section : throw Invalid(name, $"is {section.ValueKind}, expected {kind}");
    }

    internal static string? Text(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String
            ? value.GetString()
            : null;

    private static bool Flag(JsonElement parent, string name, bool missing, string place)
    {
        if (!parent.TryGetProperty(name, out var value) || value.ValueKind == JsonValueKind.Null)
            return missing;
        return value.ValueKind is JsonValueKind.True or JsonValueKind.False
            ? value.GetBoolean()
            : throw Invalid($"{place}.{name}", $"is {value.GetRawText()}, expected true or false");
    }

    // Not damaged: what only Hugging Face's own library reads exactly.
    private static InvalidTokenizerException Unsupported(string place, string problem) =>
        new($"{File}: {place} {problem}.") { IsUnsupported = true };

    private static InvalidTokenizerException Invalid(string place, string problem) => new($"{File}: {place} {problem}.");
}
