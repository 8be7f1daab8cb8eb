using System.Text.Json;

namespace Espalier.Tokenizers;

/// <summary>
/// What the files beside a vocabulary say: <c>tokenizer_config.json</c>, <c>special_tokens_map.json</c>, <c>added_tokens.json</c> and the
/// token ids of <c>config.json</c>, with the precedence of Hugging Face's transformers.
/// </summary>
internal sealed record TokenizerSettings
{
    private const string FastSuffix = "Fast";

    /// <summary>Special tokens in the order in which transformers adds those that a vocabulary lacks.</summary>
    private static readonly string[] SpecialNames =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    /// <summary><c>tokenizer_class</c> without <c>Fast</c>, or null.</summary>
    public string? Class { get; init; }

    /// <summary><c>model_type</c> of <c>config.json</c>, or null.</summary>
    public string? ModelType { get; init; }

    /// <summary>Text of a special token by its name, such as <c>eos_token</c>.</summary>
    public IReadOnlyDictionary<string, string> Special { get; init; } = new Dictionary<string, string>();

    /// <summary>Tokens with ids of their own that the vocabulary file need not have, by id.</summary>
    public IReadOnlyList<AddedToken> Added { get; init; } = [];

    /// <summary><c>add_bos_token</c>, where it is said.</summary>
    public bool? AddsBegin { get; init; }

    /// <summary><c>add_prefix_space</c>, where it is said.</summary>
    public bool? AddsPrefixSpace { get; init; }

    /// <summary><c>legacy</c>, where it is said.</summary>
    public bool? IsLegacy { get; init; }

    /// <summary><c>do_lower_case</c>, where it is said.</summary>
    public bool? LowersCase { get; init; }

    /// <summary><c>strip_accents</c>, where it is said.</summary>
    public bool? StripsAccents { get; init; }

    /// <summary><c>tokenize_chinese_chars</c>, where it is said.</summary>
    public bool? SplitsChinese { get; init; }

    /// <summary><c>bos_token_id</c> of <c>config.json</c>.</summary>
    public int? ModelBegin { get; init; }

    /// <summary><c>eos_token_id</c> of the model.</summary>
    public int? ModelEnd { get; init; }

    /// <summary>Reads what is there.</summary>
    /// <exception cref="InvalidTokenizerException">A file is damaged.</exception>
    public static TokenizerSettings Read(TokenizerSource source, int? endTokenId)
    {
        using var configuration = Parse(source, TokenizerFiles.Configuration);
        using var map = Parse(source, TokenizerFiles.SpecialTokens);
        using var added = Parse(source, TokenizerFiles.AddedTokens);
        using var model = Parse(source, TokenizerFiles.ModelConfiguration);
        var settings = configuration?.RootElement;
        var hasDecoder = settings is { } root && root.TryGetProperty("added_tokens_decoder", out _);
        var special = ReadSpecial(settings, map?.RootElement, hasDecoder);
        return new TokenizerSettings
        {
            Class = WithoutFast(Text(settings, "tokenizer_class")),
            ModelType = Text(model?.RootElement, "model_type"),
            Special = special,
            Added = hasDecoder ? ReadDecoder(settings!.Value.GetProperty("added_tokens_decoder")) : ReadAdded(added?.RootElement, special),
            AddsBegin = Flag(settings, "add_bos_token"),
            AddsPrefixSpace = Flag(settings, "add_prefix_space"),
            IsLegacy = Flag(settings, "legacy"),
            LowersCase = Flag(settings, "do_lower_case"),
            StripsAccents = Flag(settings, "strip_accents"),
            SplitsChinese = Flag(settings, "tokenize_chinese_chars"),
            ModelBegin = Number(model?.RootElement, "bos_token_id"),
            ModelEnd = endTokenId,
        };
    }

    /// <summary>The class that is named, else <see cref="ClassOfModel"/>; null when neither is known.</summary>
    public string? ClassOrDefault => Class is null or "AutoTokenizer" ? ClassOfModel : Class;

    /// <summary>The class that transformers takes for the model's type, or null.</summary>
    public string? ClassOfModel => ModelType switch
    {
        "llama" or "mistral" or "mixtral" or "deepseek" or "deepseek_v2" or "deepseek_v3" => "LlamaTokenizer",
        "gemma" or "gemma2" or "gemma3_text" => "GemmaTokenizer",
        "qwen2" or "qwen2_moe" or "qwen3" or "qwen3_moe" or "qwen3_next" => "Qwen2Tokenizer",
        "gpt2" or "gpt_neo" => "GPT2Tokenizer",
        "gpt_neox" or "olmo" or "olmo2" or "olmoe" => "GPTNeoXTokenizer",
        _ => null,
    };

    /// <summary>The beginning-of-text token that the class puts before a text unless something says otherwise; null where it leaves that to the file.</summary>
    public string? ClassBegin => ClassOrDefault switch
    {
        "LlamaTokenizer" or "CodeLlamaTokenizer" => "<s>",
        "GemmaTokenizer" => "<bos>",
        "CohereTokenizer" => "<BOS_TOKEN>",
        _ => null,
    };

    /// <summary>The names of special tokens that are set, in transformers' order, each text once.</summary>
    public IEnumerable<string> SpecialTexts => SpecialNames.Select(name => Special.GetValueOrDefault(name)).OfType<string>().Distinct();

    private static Dictionary<string, string> ReadSpecial(JsonElement? settings, JsonElement? map, bool hasDecoder)
    {
        var special = new Dictionary<string, string>();
        foreach (var name in SpecialNames)
        {
            var (own, mapped) = (TokenText(settings, name), TokenText(map, name));
            if ((hasDecoder ? own ?? mapped : mapped ?? own) is { Length: > 0 } text)
                special[name] = text;
        }
        return special;
    }

    // {"151643": {"content": "<|endoftext|>", "special": true, ...}}
    private static List<AddedToken> ReadDecoder(JsonElement decoder)
    {
        const string Place = TokenizerFiles.Configuration + ": added_tokens_decoder";
        if (decoder.ValueKind != JsonValueKind.Object)
            throw new InvalidTokenizerException($"{Place} is {decoder.ValueKind}; expected an object of id to token.");
        var tokens = new List<AddedToken>();
        foreach (var entry in decoder.EnumerateObject())
        {
            if (!int.TryParse(entry.Name, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var id)
                || !IsId(id))
                throw new InvalidTokenizerException($"{Place} has the id '{entry.Name}'; expected 0 to {2 * TokenizerJsonReader.MaxEntries - 1}.");
            tokens.Add(Token(id, TextOf(entry.Value), entry.Value, Place));
        }
        return Checked(tokens, Place);
    }

    // {"<|im_end|>": 151645}: special where the configuration names it so.
    private static List<AddedToken> ReadAdded(JsonElement? added, Dictionary<string, string> special)
    {
        const string Place = TokenizerFiles.AddedTokens;
        if (added is not { } map)
            return [];
        if (map.ValueKind != JsonValueKind.Object)
            throw new InvalidTokenizerException($"{Place} is {map.ValueKind}; expected an object of token to id.");
        var tokens = new List<AddedToken>();
        foreach (var entry in map.EnumerateObject())
        {
            if (entry.Value.ValueKind != JsonValueKind.Number || !entry.Value.TryGetInt32(out var id) || !IsId(id))
                throw new InvalidTokenizerException(
                    $"{Place}: '{entry.Name}' is {entry.Value.GetRawText()}; expected an id from 0 to {2 * TokenizerJsonReader.MaxEntries - 1}.");
            var isSpecial = special.ContainsValue(entry.Name);
            tokens.Add(Token(id, entry.Name, default, Place) with { Special = isSpecial, Normalized = !isSpecial });
        }
        return Checked(tokens, Place);
    }

    private static AddedToken Token(int id, string? content, JsonElement flags, string place) =>
        content is { Length: > 0 and <= TokenizerJsonReader.MaxTokenLength }
            ? new AddedToken(id, content,
                Special: Flag(flags, "special") ?? false,
                Normalized: Flag(flags, "normalized") ?? false,
                SingleWord: Flag(flags, "single_word") ?? false,
                StripLeft: Flag(flags, "lstrip") ?? false,
                StripRight: Flag(flags, "rstrip") ?? false)
            : throw new InvalidTokenizerException($"{place}: the token {id} needs a content of 1 to {TokenizerJsonReader.MaxTokenLength} characters.");

    private static List<AddedToken> Checked(List<AddedToken> tokens, string place)
    {
        if (tokens.Count > TokenizerJsonReader.MaxEntries)
            throw new InvalidTokenizerException($"{place} has more than {TokenizerJsonReader.MaxEntries} entries.");
        if (tokens.GroupBy(token => token.Id).FirstOrDefault(group => group.Count() > 1) is { } twice)
            throw new InvalidTokenizerException($"{place} gives the id {twice.Key} to {string.Join(" and ", twice.Select(token => $"'{token.Content}'"))}.");
        return [.. tokens.OrderBy(token => token.Id)];
    }

    private static JsonDocument? Parse(TokenizerSource source, string file)
    {
        if (source.Find(file) is not { } bytes)
            return null;
        var document = TokenizerJsonReader.Parse(bytes, file);
        return document.RootElement.ValueKind == JsonValueKind.Object
            ? document
            : throw new InvalidTokenizerException($"{file} is {document.RootElement.ValueKind}; expected an object.");
    }

    private static string? WithoutFast(string? name) => name?.EndsWith(FastSuffix, StringComparison.Ordinal) == true ? name[..^FastSuffix.Length] : name;

    private static string? Text(JsonElement? parent, string name) => parent is { } element ? TokenizerJsonReader.Text(element, name) : null;

    private static string? TokenText(JsonElement? parent, string name) =>
        parent is { ValueKind: JsonValueKind.Object } element && element.TryGetProperty(name, out var value) ? TextOf(value) : null;

    // A string, an object with "content", or null.
    private static string? TextOf(JsonElement token) =>
        token.ValueKind == JsonValueKind.String ? token.GetString() : TokenizerJsonReader.Text(token, "content");

    private static bool? Flag(JsonElement? parent, string name) =>
        parent is { ValueKind: JsonValueKind.Object } element && element.TryGetProperty(name, out var value)
            && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null;

    private static int? Number(JsonElement? parent, string name) =>
        parent is { ValueKind: JsonValueKind.Object } element && element.TryGetProperty(name, out var value)
            && value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number) ? number : null;

    private static bool IsId(int id) => id is >= 0 and < 2 * TokenizerJsonReader.MaxEntries;
}
