using System.Text.Json;
using Espalier.Contracts;
using Espalier.Gguf.Files;
using Espalier.Tokenizers;

namespace Espalier.Gguf.Vocabularies;

/// <summary>The keys that hold a tokenizer.</summary>
internal static class VocabularyMetadata
{
    private const string Prefix = "tokenizer.ggml.";

    /// <summary>A file without a tokenizer: programs give ids.</summary>
    public static void AddNone(GgufMetadata metadata) => metadata.Add(Prefix + "model", "no_vocab");

    /// <summary>Adds a tokenizer.</summary>
    /// <param name="metadata">Where to.</param>
    /// <param name="tokenizer">The tokenizer.</param>
    /// <param name="rows">Embedding rows of the model.</param>
    /// <param name="configuration"><c>tokenizer_config.json</c>, which may hold a chat template.</param>
    /// <exception cref="UserInputException">llama.cpp would cut or join text otherwise.</exception>
    public static void Add(GgufMetadata metadata, ITokenizer tokenizer, int rows, ReadOnlyMemory<byte>? configuration)
    {
        var listing = tokenizer.List() ?? throw Refused("is neither byte-level BPE nor SentencePiece BPE");
        var tokens = listing.Tokens.Concat(Enumerable.Range(listing.Tokens.Count, rows - listing.Tokens.Count)
            .Select(id => new ListedToken($"[PAD{id}]", TokenRole.Unused))).ToList();
        var isBytes = listing.Kind == VocabularyKind.ByteLevel;
        metadata.Add(Prefix + "model", isBytes ? "gpt2" : "llama");
        if (isBytes)
            metadata.Add(Prefix + "pre", NameOf(listing.Cut));
        metadata.Add(Prefix + "tokens", [.. tokens.Select(t => t.Text)]);
        if (!isBytes)
            metadata.Add(Prefix + "scores", [.. tokens.Select(t => t.Score)]);
        metadata.Add(Prefix + "token_type", [.. tokens.Select(t => TypeOf(t.Role))]);
        if (isBytes)
            metadata.Add(Prefix + "merges", [.. listing.Merges.Select(m => $"{m.Left} {m.Right}")]);
        if (tokenizer.BeginTokenId is { } begin && begin < rows)
            metadata.Add(Prefix + "bos_token_id", (long)begin);
        metadata.Add(Prefix + "eos_token_id", (long)tokenizer.EndTokenId);
        if (tokens.FindIndex(t => t.Role == TokenRole.Unknown) is var unknown and >= 0)
            metadata.Add(Prefix + "unknown_token_id", (long)unknown);
        metadata.Add(Prefix + "add_bos_token", tokenizer.AddsBeginToken);
        metadata.Add(Prefix + "add_eos_token", false);
        metadata.Add(Prefix + "add_space_prefix", listing.AddsSpace);
        if (TemplateOf(configuration) is { } template)
            metadata.Add("tokenizer.chat_template", template);
    }

    // ggml's llama_token_type.
    private static int TypeOf(TokenRole role) => role switch
    {
        TokenRole.Unknown => 2,
        TokenRole.Control => 3,
        TokenRole.UserDefined => 4,
        TokenRole.Unused => 5,
        TokenRole.Byte => 6,
        _ => 1,
    };

    private static string NameOf(SplitPattern? cut) => cut switch
    {
        SplitPattern.Gpt2 => "gpt-2",
        SplitPattern.Llama3 => "llama-bpe",
        SplitPattern.Qwen2 => "qwen2",
        _ => throw Refused("cuts text by rules that llama.cpp has no name for"),
    };

    private static string? TemplateOf(ReadOnlyMemory<byte>? configuration)
    {
        if (configuration is not { } bytes)
            return null;
        using var document = JsonDocument.Parse(bytes);
        return document.RootElement.ValueKind == JsonValueKind.Object && document.RootElement.TryGetProperty("chat_template", out var template)
            && template.ValueKind == JsonValueKind.String ? template.GetString() : null;
    }

    private static UserInputException Refused(string reason) => new(
        $"llama.cpp cannot be given this model's tokenizer: it {reason}. With --tokenizer none the file holds none, and programs give it ids.");
}
