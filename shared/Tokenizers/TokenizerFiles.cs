namespace Espalier.Tokenizers;

/// <summary>Finds the tokenizer among the files of a checkpoint.</summary>
public static class TokenizerFiles
{
    /// <summary>The file that holds vocabulary and merges.</summary>
    public const string Tokenizer = "tokenizer.json";

    /// <summary>The file that names the special tokens.</summary>
    public const string Configuration = "tokenizer_config.json";

    internal const string Vocabulary = "vocab.json";
    internal const string Merges = "merges.txt";
    internal const string SpecialTokens = "special_tokens_map.json";
    internal const string AddedTokens = "added_tokens.json";
    internal const string ModelConfiguration = "config.json";
    internal const string SentencePiece = "tokenizer.model";
    internal const string Tekken = "tekken.json";
    internal const string WordPiece = "vocab.txt";

    private const string Readable =
        $"{Tokenizer}, {Vocabulary} with {Merges}, {SentencePiece} (SentencePiece), {Tekken}, qwen.tiktoken, cl100k_base.tiktoken, {WordPiece}";

    private static readonly string[] SentencePieceNames = [SentencePiece, "spiece.model", "sentencepiece.model", "sentencepiece.bpe.model"];

    // What a file of a tokenizer is called, readable or not.
    private static readonly string[] Marks =
        ["token", "tekken", "vocab", "merges", "sentencepiece", "spiece", "bpe.codes", "encoder.json", ".spm", "_text.model"];

    /// <summary>The tokenizer of a checkpoint, as a task asks for it.</summary>
    /// <param name="source">The checkpoint's files.</param>
    /// <param name="modelVocabularySize">Embedding rows of the model.</param>
    /// <param name="endTokenId">The model's <c>eos_token_id</c>, for tokenizers that name no end token.</param>
    /// <param name="use">What the task asks for; as the checkpoint says when left out.</param>
    /// <exception cref="InvalidTokenizerException">
    /// Damaged or unsupported files, ids beyond the model's rows, no tokenizer where the task does not ask for bytes, or no
    /// beginning-of-text token where it asks for one.
    /// </exception>
    public static ITokenizer Load(TokenizerSource source, int modelVocabularySize, int? endTokenId = null, TokenizerUse? use = null)
    {
        use ??= new TokenizerUse();
        var tokenizer = Find(source, endTokenId);
        if (tokenizer is null && use.Choice != TokenizerChoice.Bytes)
        {
            throw new InvalidTokenizerException(
                $"There is no tokenizer beside the model. Add its files ({Readable}), or say 'tokenizer: bytes' where this task has its options "
                + "to take UTF-8 bytes as tokens.");
        }
        tokenizer = tokenizer is null ? new ByteTokenizer(modelVocabularySize) : RowLimit.Apply(tokenizer, modelVocabularySize);
        return BosChoice.Apply(tokenizer, use.Bos);
    }

    /// <summary>Reads <c>tokenizer.json</c>: by our own code where that is exact, else by Hugging Face's library.</summary>
    /// <exception cref="InvalidTokenizerException">The file is damaged, or needs something we do not do.</exception>
    public static ITokenizer Read(ReadOnlyMemory<byte> tokenizerJson, ReadOnlyMemory<byte>? tokenizerConfig = null, int? endTokenId = null)
    {
        var files = new Dictionary<string, byte[]> { [Tokenizer] = tokenizerJson.ToArray() };
        if (tokenizerConfig is { } config)
            files[Configuration] = config.ToArray();
        return Find(TokenizerSource.Of(files), endTokenId)!;
    }

    private static ITokenizer? Find(TokenizerSource source, int? endTokenId)
    {
        var settings = TokenizerSettings.Read(source, endTokenId);
        if (source.Find(Tokenizer) is { } tokenizer)
            return ReadJson(tokenizer, source, settings);
        if (source.Find(Vocabulary) is { } vocabulary && source.Find(Merges) is { } merges)
            return VocabularyAndMerges.Read(vocabulary, merges, settings);
        foreach (var name in SentencePieceNames)
        {
            if (source.Find(name) is { } model)
                return TiktokenFile.IsOne(model) ? TiktokenFile.Read(name, model, settings) : SentencePieceTokenizer.Read(name, model, settings);
        }
        if (source.Find(Tekken) is { } tekken)
            return TekkenFile.Read(tekken, settings);
        if (source.Names.FirstOrDefault(TiktokenFile.IsName) is { } ranks)
            return TiktokenFile.Read(ranks, source.Find(ranks)!.Value, settings);
        if (source.Find(WordPiece) is { } words)
            return WordPieceFile.Read(words, settings);
        if (source.Names.Where(IsTokenizerFile).ToList() is { Count: > 0 } others)
        {
            throw new InvalidTokenizerException(
                $"The model has {string.Join(", ", others.Take(6))}, but no vocabulary in a format that is read ({Readable}): "
                + $"convert the tokenizer to {Tokenizer}.");
        }
        return null;
    }

    private static ITokenizer ReadJson(ReadOnlyMemory<byte> json, TokenizerSource source, TokenizerSettings settings)
    {
        var files = new Dictionary<string, byte[]> { [Tokenizer] = json.ToArray() };
        if (source.Find(Configuration) is { } configuration)
            files[Configuration] = configuration.ToArray();
        BpeDefinition definition;
        try
        {
            definition = TokenizerJsonReader.Read(json);
        }
        catch (InvalidTokenizerException exception) when (exception.IsUnsupported)
        {
            return PackagedTokenizer.Read(json, settings, files);
        }
        var extra = ExtraTokens.Missing(definition, settings);
        definition = definition with { AddedTokens = [.. definition.AddedTokens, .. extra] };
        var bounds = BoundTokens.Choose(definition, settings, Tokenizer, BoundTokens.TemplateBegin(json));
        var identity = ExtraTokens.Identity(json, extra);
        return definition.Metaspace is null
            ? new ByteLevelBpe(definition, bounds, files, identity)
            : new MetaspaceBpe(definition, bounds, files, identity);
    }

    private static bool IsTokenizerFile(string name) => Marks.Any(mark => name.Contains(mark, StringComparison.OrdinalIgnoreCase));
}
