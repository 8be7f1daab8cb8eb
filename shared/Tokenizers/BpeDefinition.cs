namespace Espalier.Tokenizers;

/// <summary>What a tokenizer file says, checked: ids are unique, merges spell tokens of the vocabulary.</summary>
internal sealed record BpeDefinition
{
    /// <summary>Id by token, in the byte alphabet.</summary>
    public required IReadOnlyDictionary<string, int> Vocabulary { get; init; }

    /// <summary>Pairs to join, most important first.</summary>
    public required IReadOnlyList<(string Left, string Right)> Merges { get; init; }

    /// <summary>
    /// Whether any two tokens that together spell a third may be joined, those of smallest id first, in place of <see cref="Merges"/>: how
    /// tiktoken merges.
    /// </summary>
    public bool MergesBySpelling { get; init; }

    /// <summary>Largest id of the vocabulary proper plus one: a token that is also an added one counts as added.</summary>
    public int WordCount
    {
        get
        {
            var added = AddedTokens.Select(token => token.Id).ToHashSet();
            return Vocabulary.Values.Where(id => !added.Contains(id)).DefaultIfEmpty(-1).Max() + 1;
        }
    }

    /// <summary>Tokens matched before anything else.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>How text is cut into pieces.</summary>
    public SplitPattern Pattern { get; init; } = SplitPattern.Gpt2;

    /// <summary>Steps that cut text in place of <see cref="Pattern"/>, or null.</summary>
    public IReadOnlyList<TextCut>? Cuts { get; init; }

    /// <summary>Whether a space is put before a text that does not start with one.</summary>
    public bool AddPrefixSpace { get; init; }

    /// <summary>Whether text is brought into normalization form C first.</summary>
    public bool Compose { get; init; }

    /// <summary>Whether a piece that is a token is taken as it is.</summary>
    public bool IgnoreMerges { get; init; }

    /// <summary>Stands for bytes without a token, or null to drop them.</summary>
    public string? UnknownToken { get; init; }

    /// <summary>Whether neighbouring unknown bytes give one token.</summary>
    public bool FuseUnknown { get; init; }

    /// <summary>Set when the vocabulary is spelt in characters, with a mark for spaces, instead of in bytes.</summary>
    public MetaspaceRules? Metaspace { get; init; }
}

/// <summary>When the mark of a space is put before a piece that does not begin with one.</summary>
internal enum PrependScheme
{
    Always,

    /// <summary>Only at the start of the text.</summary>
    First,

    Never,
}

/// <summary>How SentencePiece-like tokenizers treat spaces and bytes.</summary>
internal sealed record MetaspaceRules
{
    /// <summary>Changes to every part of the text between raw added tokens, in order.</summary>
    public IReadOnlyList<Func<string, string>> Normalizer { get; init; } = [];

    /// <summary>What stands for a space in the pre-tokenizer, or null without one: then a part of the text is one piece.</summary>
    public string? Mark { get; init; }

    /// <summary>When the pre-tokenizer puts a mark in front.</summary>
    public PrependScheme Prepend { get; init; } = PrependScheme.Always;

    /// <summary>Whether each mark begins a new piece.</summary>
    public bool Splits { get; init; } = true;

    /// <summary>Whether characters without a token are spelt as <c>&lt;0xHH&gt;</c> tokens.</summary>
    public bool ByteFallback { get; init; }

    /// <summary>Whether decoding joins <c>&lt;0xHH&gt;</c> tokens to bytes.</summary>
    public bool DecoderReadsBytes { get; init; }

    /// <summary>What decoding replaces, in order, in every token.</summary>
    public IReadOnlyList<(string From, string To)> DecoderReplaces { get; init; } = [];

    /// <summary>The mark whose occurrences decoding drops in the first token and turns into spaces in the others; null for none.</summary>
    public string? DecoderMark { get; init; }

    /// <summary>Whether decoding keeps the first token's marks as spaces, too.</summary>
    public bool DecoderKeepsFirst { get; init; }

    /// <summary>Most of these characters that decoding takes from the start of the text, and how many.</summary>
    public (char Character, int Count) DecoderStrip { get; init; }
}
