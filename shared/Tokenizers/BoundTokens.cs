using System.Text.Json;

namespace Espalier.Tokenizers;

/// <summary>Finds the ids that end and begin a document.</summary>
internal static class BoundTokens
{
    private static readonly string[] UsualEnds = ["<|endoftext|>", "<|end_of_text|>", "</s>", "<eos>", "<|eos|>", "<|im_end|>"];

    /// <summary>
    /// The end: what the settings name, else the model's <c>eos_token_id</c>, else a usual name. The beginning: what the settings name, else
    /// the first token of the post-processor's template, else the model's <c>bos_token_id</c>; it is added where <c>add_bos_token</c> says so,
    /// else where the tokenizer's class does, else where the post-processor does.
    /// </summary>
    /// <param name="definition">The vocabulary.</param>
    /// <param name="settings">What the files beside it say.</param>
    /// <param name="file">The vocabulary's file, for messages.</param>
    /// <param name="template">Id that the post-processor puts first; null for none.</param>
    /// <exception cref="InvalidTokenizerException">No token of this vocabulary ends a document.</exception>
    public static TextBounds Choose(BpeDefinition definition, TokenizerSettings settings, string file, int? template = null)
    {
        var ids = definition.Vocabulary.Values.Concat(definition.AddedTokens.Select(t => t.Id)).ToHashSet();
        var named = settings.Special.GetValueOrDefault("bos_token") ?? settings.ClassBegin;
        var begin = template ?? (named is null ? null : Find(definition, named))
            ?? (settings.ModelBegin is { } id && ids.Contains(id) ? id : null);
        var adds = settings.AddsBegin ?? (settings.ClassBegin is not null || template is not null);
        return new TextBounds(End(definition, settings, ids, file), begin, adds && begin is not null);
    }

    /// <summary>The id that a post-processor puts before a text; null for none.</summary>
    /// <exception cref="InvalidTokenizerException">The section contradicts itself.</exception>
    public static int? TemplateBegin(ReadOnlyMemory<byte> tokenizerJson)
    {
        using var document = TokenizerJsonReader.Parse(tokenizerJson, TokenizerFiles.Tokenizer);
        return TokenizerJsonReader.Section(document.RootElement, "post_processor") is not { } section ? null
            : TokenizerJsonReader.Steps(section, "processors", "post_processor").Select(TemplateBegin).FirstOrDefault(id => id is not null);
    }

    private static int? TemplateBegin(JsonElement step)
    {
        switch (TokenizerJsonReader.Text(step, "type"))
        {
            // "cls": ["<s>", 0]
            case "BertProcessing" or "RobertaProcessing":
                return step.TryGetProperty("cls", out var pair) && pair.ValueKind == JsonValueKind.Array && pair.GetArrayLength() == 2
                    && pair[1].ValueKind == JsonValueKind.Number && pair[1].TryGetInt32(out var id) ? id : null;
            // "single": [{"SpecialToken": {"id": "<s>"}}, {"Sequence": ...}], "special_tokens": {"<s>": {"ids": [1]}}
            case "TemplateProcessing" when step.TryGetProperty("single", out var single) && single.ValueKind == JsonValueKind.Array
                && single.GetArrayLength() > 0 && TokenizerJsonReader.Section(single[0], "SpecialToken") is { } first
                && TokenizerJsonReader.Text(first, "id") is { } name:
                return TokenizerJsonReader.Section(step, "special_tokens") is { } tokens && TokenizerJsonReader.Section(tokens, name) is { } token
                    && token.TryGetProperty("ids", out var ids) && ids.ValueKind == JsonValueKind.Array && ids.GetArrayLength() == 1
                    && ids[0].ValueKind == JsonValueKind.Number && ids[0].TryGetInt32(out var begin)
                    ? begin
                    : throw new InvalidTokenizerException(
                        $"{TokenizerFiles.Tokenizer}: post_processor puts '{name}' first, and its special_tokens do not give it one id.");
            default:
                return null;
        }
    }

    private static int End(BpeDefinition definition, TokenizerSettings settings, HashSet<int> ids, string file)
    {
        if (settings.Special.GetValueOrDefault("eos_token") is { } name)
        {
            return Find(definition, name) ?? throw new InvalidTokenizerException(
                $"{TokenizerFiles.Configuration}: eos_token '{name}' is not in {file}, nor among the added tokens beside it.");
        }
        if (settings.ModelEnd is { } id && ids.Contains(id))
            return id;
        foreach (var usual in UsualEnds)
        {
            if (Find(definition, usual) is { } found)
                return found;
        }
        throw new InvalidTokenizerException($"{file} has no token that ends a document: name one as eos_token in {TokenizerFiles.Configuration}.");
    }

    private static int? Find(BpeDefinition definition, string name) =>
        definition.AddedTokens.FirstOrDefault(t => t.Content == name)?.Id
            ?? (definition.Vocabulary.TryGetValue(name, out var id) ? id : null);
}
