using System.Text.Json;

namespace Espalier.Tokenizers;

/// <summary>Finds the id that ends a document.</summary>
internal static class EndTokens
{
    private static readonly string[] UsualNames = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "<|im_end|>"];

    /// <summary>What <c>tokenizer_config.json</c> says, else the model's configuration, else a usual name.</summary>
    /// <exception cref="InvalidTokenizerException">None of them gives a token of this vocabulary.</exception>
    public static int Choose(BpeDefinition definition, ReadOnlyMemory<byte>? tokenizerConfig, int? configured)
    {
        if (tokenizerConfig is { } config && NameIn(config) is { } name)
        {
            return Find(definition, name) ?? throw new InvalidTokenizerException(
                $"{TokenizerFiles.Configuration}: eos_token '{name}' is not in {TokenizerFiles.Tokenizer}.");
        }
        if (configured is { } id && (definition.AddedTokens.Any(t => t.Id == id) || definition.Vocabulary.Values.Contains(id)))
            return id;
        foreach (var usual in UsualNames)
        {
            if (Find(definition, usual) is { } found)
                return found;
        }
        throw new InvalidTokenizerException(
            $"{TokenizerFiles.Tokenizer} has no token that ends a document: name one as eos_token in {TokenizerFiles.Configuration}.");
    }

    private static int? Find(BpeDefinition definition, string name) =>
        definition.AddedTokens.FirstOrDefault(t => t.Content == name)?.Id
            ?? (definition.Vocabulary.TryGetValue(name, out var id) ? id : null);

    // "eos_token" is a string, an object with "content", or null.
    private static string? NameIn(ReadOnlyMemory<byte> tokenizerConfig)
    {
        using var document = TokenizerJsonReader.Parse(tokenizerConfig, TokenizerFiles.Configuration);
        if (document.RootElement.ValueKind != JsonValueKind.Object || !document.RootElement.TryGetProperty("eos_token", out var token))
            return null;
        if (token.ValueKind == JsonValueKind.Object && token.TryGetProperty("content", out var content))
            token = content;
        return token.ValueKind == JsonValueKind.String ? token.GetString() : null;
    }
}
