using System.Text;
using System.Text.Json.Nodes;

namespace Espalier.Tokenizers;

/// <summary>BERT's <c>vocab.txt</c>, a word piece a line: spelled out as <c>tokenizer.json</c> and read by Hugging Face's library.</summary>
internal static class WordPieceFile
{
    private const string Unknown = "[UNK]";
    private const int MaxWordCharacters = 100;

    private static readonly string[] Classes = ["BertTokenizer", "DistilBertTokenizer", "ElectraTokenizer", "MobileBertTokenizer"];
    private static readonly string[] Specials = ["[PAD]", Unknown, "[CLS]", "[SEP]", "[MASK]"];

    /// <summary>Reads the list with what the files beside it say.</summary>
    /// <exception cref="InvalidTokenizerException">It is damaged, or the class is not one that cuts words so.</exception>
    public static PackagedTokenizer Read(ReadOnlyMemory<byte> words, TokenizerSettings settings)
    {
        if (settings.Class is { } named && !Classes.Contains(named))
        {
            throw new InvalidTokenizerException(
                $"{TokenizerFiles.WordPiece} is read as BERT's, but tokenizer_class is '{named}': convert the tokenizer to {TokenizerFiles.Tokenizer}.");
        }
        var tokens = ReadLines(words);
        var special = settings.SpecialTexts.Concat(Specials).Distinct().Where(tokens.ContainsKey)
            .Select(text => new AddedToken(tokens[text], text, Special: true)).OrderBy(token => token.Id);
        var unknown = settings.Special.GetValueOrDefault("unk_token", Unknown);
        var vocabulary = new JsonObject();
        foreach (var (token, id) in tokens)
            vocabulary.Add(token, id);
        var lowers = settings.LowersCase ?? true;
        var json = new JsonObject
        {
            ["version"] = "1.0",
            ["added_tokens"] = new JsonArray([.. special.Select(PackagedTokenizer.Spell)]),
            ["normalizer"] = new JsonObject
            {
                ["type"] = "BertNormalizer", ["clean_text"] = true, ["handle_chinese_chars"] = settings.SplitsChinese ?? true,
                ["strip_accents"] = settings.StripsAccents, ["lowercase"] = lowers,
            },
            ["pre_tokenizer"] = new JsonObject { ["type"] = "BertPreTokenizer" },
            ["decoder"] = new JsonObject { ["type"] = "WordPiece", ["prefix"] = "##", ["cleanup"] = false },
            ["model"] = new JsonObject
            {
                ["type"] = "WordPiece", ["unk_token"] = unknown, ["continuing_subword_prefix"] = "##",
                ["max_input_chars_per_word"] = MaxWordCharacters, ["vocab"] = vocabulary,
            },
        };
        if (!tokens.ContainsKey(unknown))
            throw new InvalidTokenizerException($"{TokenizerFiles.WordPiece} has no '{unknown}' for words without pieces.");
        var ends = settings.Special.ContainsKey("eos_token") || !tokens.ContainsKey("[SEP]")
            ? settings
            : settings with { Special = new Dictionary<string, string>(settings.Special) { ["eos_token"] = "[SEP]" } };
        return PackagedTokenizer.Read(
            Encoding.UTF8.GetBytes(json.ToJsonString()), ends, new Dictionary<string, byte[]> { [TokenizerFiles.WordPiece] = words.ToArray() });
    }

    private static Dictionary<string, int> ReadLines(ReadOnlyMemory<byte> words)
    {
        var tokens = new Dictionary<string, int>(StringComparer.Ordinal);
        var text = TokenizerJsonReader.WithoutMark(words);
        if (!System.Text.Unicode.Utf8.IsValid(text.Span))
            throw new InvalidTokenizerException($"{TokenizerFiles.WordPiece} is not UTF-8.");
        foreach (var line in Encoding.UTF8.GetString(text.Span).TrimEnd('\n', '\r').Split('\n').Select(line => line.TrimEnd('\r')))
        {
            if (tokens.Count >= TokenizerJsonReader.MaxEntries || !tokens.TryAdd(line, tokens.Count))
                throw new InvalidTokenizerException($"{TokenizerFiles.WordPiece}, line {tokens.Count + 1}: '{line}' is there twice, or one too many.");
        }
        return tokens;
    }
}
