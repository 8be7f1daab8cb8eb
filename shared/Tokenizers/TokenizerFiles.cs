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

    private static readonly string[] UnsupportedFiles = ["tokenizer.model", "spiece.model", "vocab.txt", "sentencepiece.bpe.model"];

    /// <summary>Every file name that belongs to a tokenizer; a changed checkpoint carries those of its source along.</summary>
    public static IReadOnlyList<string> Names { get; } =
        [Tokenizer, Configuration, Vocabulary, Merges, "special_tokens_map.json", "added_tokens.json", "chat_template.jinja"];

    /// <summary>
    /// The tokenizer of a checkpoint: <c>tokenizer.json</c>, else <c>vocab.json</c> with <c>merges.txt</c>, else bytes as
    /// tokens when there is no tokenizer file at all and the model has at least 256 embedding rows.
    /// </summary>
    /// <param name="readFile">Gives a file's bytes by name, or null when it does not exist.</param>
    /// <param name="modelVocabularySize">Embedding rows of the model.</param>
    /// <param name="endTokenId">The model's <c>eos_token_id</c>, for tokenizers that name no end token.</param>
    /// <exception cref="InvalidTokenizerException">Damaged or unsupported files, or ids beyond the model's rows.</exception>
    public static ITokenizer Load(Func<string, byte[]?> readFile, int modelVocabularySize, int? endTokenId = null)
    {
        var tokenizer = Find(readFile, endTokenId);
        if (tokenizer is null)
            return new ByteTokenizer(modelVocabularySize);
        if (tokenizer.VocabularySize > modelVocabularySize)
        {
            throw new InvalidTokenizerException(
                $"{Tokenizer} has ids up to {tokenizer.VocabularySize - 1}, but config.json says vocab_size {modelVocabularySize}: the tokenizer belongs to another model.");
        }
        return tokenizer;
    }

    /// <summary>Reads <c>tokenizer.json</c>: by our own code where that is exact, else by Hugging Face's library.</summary>
    /// <exception cref="InvalidTokenizerException">The file is damaged, or needs something we do not do.</exception>
    public static ITokenizer Read(ReadOnlyMemory<byte> tokenizerJson, ReadOnlyMemory<byte>? tokenizerConfig = null, int? endTokenId = null)
    {
        BpeDefinition definition;
        try
        {
            definition = TokenizerJsonReader.Read(tokenizerJson);
        }
        catch (InvalidTokenizerException exception) when (exception.IsUnsupported)
        {
            return PackagedTokenizer.Read(tokenizerJson, tokenizerConfig, endTokenId);
        }
        var files = new Dictionary<string, byte[]> { [Tokenizer] = tokenizerJson.ToArray() };
        if (tokenizerConfig is { } config)
            files[Configuration] = config.ToArray();
        var end = EndTokens.Choose(definition, tokenizerConfig, endTokenId);
        return definition.Metaspace is null ? new ByteLevelBpe(definition, end, files) : new MetaspaceBpe(definition, end, files);
    }

    private static ITokenizer? Find(Func<string, byte[]?> readFile, int? endTokenId)
    {
        ReadOnlyMemory<byte>? configuration = null;
        if (readFile(Configuration) is { } bytes)
            configuration = bytes;
        if (readFile(Tokenizer) is { } tokenizer)
            return Read(tokenizer, configuration, endTokenId);
        if (readFile(Vocabulary) is { } vocabulary && readFile(Merges) is { } merges)
            return ByteLevelBpe.ReadVocabularyAndMerges(vocabulary, merges, configuration, endTokenId);
        if (UnsupportedFiles.FirstOrDefault(name => readFile(name) is not null) is { } unsupported)
            throw new InvalidTokenizerException($"{unsupported} is not supported: convert the tokenizer to {Tokenizer} (BPE, byte-level or Metaspace).");
        return null;
    }
}
