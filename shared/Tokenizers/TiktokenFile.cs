using System.Buffers.Text;
using System.Globalization;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// A list of byte sequences in base 64 with their ranks, as tiktoken keeps it. The list does not say how text is cut, nor which special
/// tokens follow: its name does, for those that are known.
/// </summary>
internal static class TiktokenFile
{
    private const string Extension = ".tiktoken";
    private const int MaxFileBytes = 64 << 20;
    private const int Llama3Words = 128_000;
    private const int Llama3Reserved = 256;

    private static readonly string[] Llama3Specials =
    [
        "<|begin_of_text|>", "<|end_of_text|>", "<|reserved_special_token_0|>", "<|reserved_special_token_1|>", "<|finetune_right_pad_id|>",
        "<|step_id|>", "<|start_header_id|>", "<|end_header_id|>", "<|eom_id|>", "<|eot_id|>", "<|python_tag|>",
    ];

    /// <summary>Whether a file is called like one.</summary>
    public static bool IsName(string name) => name.EndsWith(Extension, StringComparison.Ordinal) || name == "tiktoken.model";

    /// <summary>Whether a file that may be SentencePiece's is such a list: its first line is base 64, a space and a number.</summary>
    public static bool IsOne(ReadOnlyMemory<byte> bytes)
    {
        var end = bytes.Span.IndexOf((byte)'\n');
        return end > 0 && TryParse(bytes.Span[..end], out _, out _);
    }

    /// <summary>Reads a list whose split is known.</summary>
    /// <exception cref="InvalidTokenizerException">The list is damaged, or nothing says how its text is split.</exception>
    public static ByteLevelBpe Read(string name, ReadOnlyMemory<byte> bytes, TokenizerSettings settings)
    {
        var vocabulary = ReadRanks(name, bytes);
        var definition = Complete(name, new BpeDefinition
        {
            Vocabulary = vocabulary,
            Merges = [],
            MergesBySpelling = true,
            IgnoreMerges = true,
        });
        definition = definition with { AddedTokens = [.. definition.AddedTokens, .. ExtraTokens.Missing(definition, settings)] };
        var isLlama = definition.Pattern == SplitPattern.Llama3 && vocabulary.Count == Llama3Words;
        if (isLlama)
        {
            settings = settings with
            {
                AddsBegin = settings.AddsBegin ?? true,
                Special = new Dictionary<string, string>(settings.Special.Concat(
                    new[] { KeyValuePair.Create("bos_token", Llama3Specials[0]), KeyValuePair.Create("eos_token", Llama3Specials[1]) }
                        .Where(entry => !settings.Special.ContainsKey(entry.Key)))),
            };
        }
        var bounds = BoundTokens.Choose(definition, settings, name);
        return new ByteLevelBpe(
            definition, bounds, new Dictionary<string, byte[]> { [name] = bytes.ToArray() }, ExtraTokens.Identity(bytes, definition.AddedTokens));
    }

    /// <summary>A vocabulary in the byte alphabet; every byte must be a token.</summary>
    /// <exception cref="InvalidTokenizerException">One is not.</exception>
    internal static Dictionary<string, int> Vocabulary(string name, IEnumerable<(byte[] Bytes, int Id)> tokens)
    {
        var vocabulary = new Dictionary<string, int>(StringComparer.Ordinal);
        var ids = new HashSet<int>();
        foreach (var (bytes, id) in tokens)
        {
            if (vocabulary.Count >= TokenizerJsonReader.MaxEntries)
                throw new InvalidTokenizerException($"{name} has more than {TokenizerJsonReader.MaxEntries} tokens.");
            if (bytes.Length is 0 or > TokenizerJsonReader.MaxSpelledLength || !vocabulary.TryAdd(ByteAlphabet.Spell(bytes), id) || !ids.Add(id))
                throw new InvalidTokenizerException($"{name}: the token {id} is empty, too long, or there twice.");
        }
        if (ByteAlphabet.Sorted.Any(value => !vocabulary.ContainsKey(value.ToString())))
            throw new InvalidTokenizerException($"{name} lacks some of the 256 single bytes.");
        return vocabulary;
    }

    private static Dictionary<string, int> ReadRanks(string name, ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length > MaxFileBytes)
            throw new InvalidTokenizerException($"{name} is {bytes.Length} bytes long; at most {MaxFileBytes} are read.");
        var tokens = new List<(byte[], int)>();
        var line = 0;
        foreach (var range in bytes.Span.Split((byte)'\n'))
        {
            line++;
            var text = bytes.Span[range].TrimEnd((byte)'\r');
            if (text.Length == 0)
                continue;
            if (!TryParse(text, out var token, out var rank))
                throw new InvalidTokenizerException($"{name}, line {line}: expected a token in base 64, a space and a rank.");
            tokens.Add((token, rank));
        }
        return Vocabulary(name, tokens);
    }

    private static bool TryParse(ReadOnlySpan<byte> line, out byte[] token, out int rank)
    {
        (token, rank) = ([], 0);
        line = line.TrimEnd((byte)'\r');
        var space = line.IndexOf((byte)' ');
        if (space <= 0 || !Base64.IsValid(line[..space])
            || !int.TryParse(line[(space + 1)..], NumberStyles.None, CultureInfo.InvariantCulture, out rank) || rank >= TokenizerJsonReader.MaxEntries)
            return false;
        token = Convert.FromBase64String(Encoding.ASCII.GetString(line[..space]));
        return true;
    }

    private static BpeDefinition Complete(string name, BpeDefinition ranks) => Path.GetFileNameWithoutExtension(name) switch
    {
        "qwen" => ranks with { Pattern = SplitPattern.Qwen2, Compose = true, AddedTokens = From(ranks, QwenSpecials()) },
        "cl100k_base" => ranks with
        {
            Pattern = SplitPattern.Llama3,
            AddedTokens =
            [
                .. From(ranks, ["<|endoftext|>", "<|fim_prefix|>", "<|fim_middle|>", "<|fim_suffix|>"], at: 100_257),
                .. From(ranks, ["<|endofprompt|>"], at: 100_276),
            ],
        },
        "r50k_base" or "gpt2" => ranks with { AddedTokens = From(ranks, ["<|endoftext|>"]) },
        "tokenizer" when ranks.Vocabulary.Count == Llama3Words => ranks with { Pattern = SplitPattern.Llama3, AddedTokens = From(ranks, Llama3()) },
        _ => throw new InvalidTokenizerException(
            $"{name} is a list of tiktoken ranks, which does not say how text is split, and it is none of those whose split is known "
            + $"(qwen.tiktoken, cl100k_base.tiktoken, r50k_base.tiktoken, Llama 3's tokenizer.model): convert the tokenizer to {TokenizerFiles.Tokenizer}."),
    };

    private static List<AddedToken> From(BpeDefinition ranks, IEnumerable<string> texts, int? at = null)
    {
        var first = at ?? ranks.Vocabulary.Values.Max() + 1;
        return [.. texts.Select((text, i) => new AddedToken(first + i, text, Special: true))];
    }

    private static IEnumerable<string> QwenSpecials() =>
        ["<|endoftext|>", "<|im_start|>", "<|im_end|>", .. Enumerable.Range(0, 205).Select(i => $"<|extra_{i}|>")];

    private static IEnumerable<string> Llama3() =>
        [.. Llama3Specials, .. Enumerable.Range(2, Llama3Reserved - Llama3Specials.Length).Select(i => $"<|reserved_special_token_{i}|>")];
}
