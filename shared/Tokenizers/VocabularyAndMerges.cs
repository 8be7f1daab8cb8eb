namespace Espalier.Tokenizers;

/// <summary>
/// The older pair <c>vocab.json</c> and <c>merges.txt</c>. It does not say how text is cut, so the tokenizer's class does:
/// <c>tokenizer_class</c>, else the model's type.
/// </summary>
internal static class VocabularyAndMerges
{
    private const string EndOfText = "<|endoftext|>";

    /// <summary>Reads the pair with what the files beside it say.</summary>
    /// <exception cref="InvalidTokenizerException">A file is damaged, or the class is one whose split is not known.</exception>
    public static ByteLevelBpe Read(ReadOnlyMemory<byte> vocabulary, ReadOnlyMemory<byte> merges, TokenizerSettings settings)
    {
        var definition = TokenizerJsonReader.ReadVocabularyAndMerges(vocabulary, merges);
        definition = ClassOf(settings) switch
        {
            "GPT2Tokenizer" or "GPTNeoXTokenizer" or "CodeGenTokenizer" => definition with { AddPrefixSpace = settings.AddsPrefixSpace ?? false },
            "Qwen2Tokenizer" => definition with { Pattern = SplitPattern.Qwen2, Compose = true },
            _ => throw new InvalidTokenizerException(
                $"{TokenizerFiles.Vocabulary} and {TokenizerFiles.Merges} do not say how text is split, and that of "
                + (settings.Class is null ? $"the model type '{settings.ModelType}'" : $"tokenizer_class '{settings.Class}'")
                + $" is not known (GPT2Tokenizer, GPTNeoXTokenizer, CodeGenTokenizer and Qwen2Tokenizer are): add {TokenizerFiles.Tokenizer}."),
        };
        definition = definition with { AddedTokens = ExtraTokens.Missing(definition, settings) };
        definition = ExtraTokens.AddSpecial(definition, Special(settings, definition));
        var bounds = BoundTokens.Choose(definition, settings, TokenizerFiles.Vocabulary);
        var end = definition.AddedTokens.FirstOrDefault(token => token.Id == bounds.End)?.Content
            ?? definition.Vocabulary.First(entry => entry.Value == bounds.End).Key;
        definition = ExtraTokens.AddSpecial(definition, [end]);
        var files = TokenizerJsonWriter.Write(definition, end);
        return new ByteLevelBpe(definition, bounds, files, files[TokenizerFiles.Tokenizer]);
    }

    // Without a word about it the pair is GPT-2's, which brought it; a model type that says otherwise is not guessed at.
    private static string? ClassOf(TokenizerSettings settings)
    {
        var named = settings.ClassOrDefault;
        if (named is "PreTrainedTokenizer" or "TokenizersBackend")
            named = settings.ClassOfModel;
        return named ?? (settings.ModelType is null ? "GPT2Tokenizer" : null);
    }

    // Special tokens that are named; where none ends a document, the one that the classes have by default, if the vocabulary has it.
    private static IEnumerable<string> Special(TokenizerSettings settings, BpeDefinition definition)
    {
        foreach (var text in settings.SpecialTexts)
            yield return text;
        var hasDefault = definition.Vocabulary.ContainsKey(EndOfText) || definition.AddedTokens.Any(token => token.Content == EndOfText);
        if (!settings.Special.ContainsKey("eos_token") && (hasDefault || settings.ModelEnd == definition.Vocabulary.Count))
            yield return EndOfText;
    }
}
