namespace Espalier.Modeling.Tokenizers;

/// <summary>What a tokenizer file says, checked: ids are unique, merges spell tokens of the vocabulary.</summary>
internal sealed record BpeDefinition
{
    /// <summary>Id by token, in the byte alphabet.</summary>
    public required IReadOnlyDictionary<string, int> Vocabulary { get; init; }

    /// <summary>Pairs to join, most important first.</summary>
    public required IReadOnlyList<(string Left, string Right)> Merges { get; init; }

    /// <summary>Tokens matched before anything else.</summary>
    public IReadOnlyList<AddedToken> AddedTokens { get; init; } = [];

    /// <summary>How text is cut into pieces.</summary>
    public SplitPattern Pattern { get; init; } = SplitPattern.Gpt2;

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
}
