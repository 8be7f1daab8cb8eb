using System.Text.Json;

namespace Espalier.Tokenizers;

/// <summary>Mistral's <c>tekken.json</c>: ranks as tiktoken has them, with the split and the number of special tokens, which come first.</summary>
internal static class TekkenFile
{
    private const string File = TokenizerFiles.Tekken;
    private const string Begin = "<s>", End = "</s>";

    // Of files that number special tokens without naming them.
    private static readonly string[] UsualSpecials =
        ["<unk>", Begin, End, "[INST]", "[/INST]", "[AVAILABLE_TOOLS]", "[/AVAILABLE_TOOLS]", "[TOOL_RESULTS]", "[/TOOL_RESULTS]", "[TOOL_CALLS]"];

    /// <summary>Reads the file.</summary>
    /// <exception cref="InvalidTokenizerException">It is damaged, or its split cannot be taken over exactly.</exception>
    public static ByteLevelBpe Read(ReadOnlyMemory<byte> bytes, TokenizerSettings settings)
    {
        using var document = TokenizerJsonReader.Parse(bytes, File);
        var root = document.RootElement;
        var config = TokenizerJsonReader.Section(root, "config") ?? throw Invalid("config", "is missing");
        var (size, specials) = (Number(config, "default_vocab_size"), Number(config, "default_num_special_tokens"));
        if (specials > size || size > TokenizerJsonReader.MaxEntries)
            throw Invalid("config", $"has {specials} special tokens of {size}; at most {TokenizerJsonReader.MaxEntries} tokens are read");
        var definition = new BpeDefinition
        {
            Vocabulary = TiktokenFile.Vocabulary(File, ReadTokens(root, size - specials, specials)),
            Merges = [],
            MergesBySpelling = true,
            IgnoreMerges = true,
            Cuts = [new TextCut(Compile(TokenizerJsonReader.Text(config, "pattern") ?? throw Invalid("config.pattern", "is missing")))],
            AddedTokens = ReadSpecials(root, specials),
        };
        var begins = settings with
        {
            AddsBegin = settings.AddsBegin ?? true,
            Special = new Dictionary<string, string> { ["bos_token"] = Begin, ["eos_token"] = End },
        };
        var files = new Dictionary<string, byte[]> { [File] = bytes.ToArray() };
        return new ByteLevelBpe(definition, BoundTokens.Choose(definition, begins, File), files, bytes.ToArray());
    }

    private static IEnumerable<(byte[] Bytes, int Id)> ReadTokens(JsonElement root, int count, int first)
    {
        if (TokenizerJsonReader.Section(root, "vocab", JsonValueKind.Array) is not { } vocabulary || vocabulary.GetArrayLength() < count)
            throw Invalid("vocab", $"is not an array of at least {count} tokens");
        foreach (var token in vocabulary.EnumerateArray().Take(count))
        {
            var rank = Number(token, "rank");
            if (rank >= count || TokenizerJsonReader.Text(token, "token_bytes") is not { } text || !System.Buffers.Text.Base64.IsValid(text))
                throw Invalid("vocab", $"has a token of rank {rank} of {count} whose token_bytes are not base 64");
            yield return (Convert.FromBase64String(text), first + rank);
        }
    }

    // [{"rank": 1, "token_str": "<s>"}, ...]; those that are not named are fillers.
    private static List<AddedToken> ReadSpecials(JsonElement root, int count)
    {
        var names = new Dictionary<int, string>();
        if (TokenizerJsonReader.Section(root, "special_tokens", JsonValueKind.Array) is { } tokens)
        {
            foreach (var token in tokens.EnumerateArray())
            {
                if (TokenizerJsonReader.Text(token, "token_str") is not { Length: > 0 and <= TokenizerJsonReader.MaxTokenLength } name
                    || !names.TryAdd(Number(token, "rank"), name))
                    throw Invalid("special_tokens", "has an entry without a rank of its own or a token_str");
            }
        }
        else
        {
            for (var rank = 0; rank < UsualSpecials.Length; rank++)
                names.Add(rank, UsualSpecials[rank]);
        }
        return [.. names.Where(entry => entry.Key < count).OrderBy(entry => entry.Key).Select(entry => new AddedToken(entry.Key, entry.Value, Special: true))];
    }

    private static System.Text.RegularExpressions.Regex Compile(string pattern)
    {
        try
        {
            return CutExpression.Compile(pattern);
        }
        catch (FormatException exception)
        {
            throw Invalid("config.pattern", exception.Message);
        }
    }

    private static int Number(JsonElement parent, string name) =>
        parent.ValueKind == JsonValueKind.Object && parent.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Number
            && value.TryGetInt32(out var number) && number >= 0 ? number : throw Invalid(name, "is not a number from 0 up");

    private static InvalidTokenizerException Invalid(string place, string problem) => new($"{File}: {place} {problem}.");
}
