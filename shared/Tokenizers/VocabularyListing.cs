namespace Espalier.Tokenizers;

/// <summary>How the pieces of a vocabulary are spelled and put together.</summary>
public enum VocabularyKind
{
    /// <summary>Byte-pair encoding in the printable byte alphabet (GPT-2).</summary>
    ByteLevel,

    /// <summary>Byte-pair encoding over characters, spaces as U+2581, bytes as <c>&lt;0xHH&gt;</c> (SentencePiece).</summary>
    Characters,
}

/// <summary>What a token is for.</summary>
public enum TokenRole
{
    /// <summary>A piece of text.</summary>
    Normal,

    /// <summary>Stands for what has no token.</summary>
    Unknown,

    /// <summary>Never in a text: begins or ends it.</summary>
    Control,

    /// <summary>Found in a text as it stands, before anything else.</summary>
    UserDefined,

    /// <summary>An id without a token.</summary>
    Unused,

    /// <summary>One byte.</summary>
    Byte,
}

/// <summary>One token of a vocabulary.</summary>
/// <param name="Text">Its spelling.</param>
/// <param name="Role">What it is for.</param>
/// <param name="Score">Of two pairs, the one that makes the token of higher score is joined first.</param>
public sealed record ListedToken(string Text, TokenRole Role, float Score = 0);

/// <summary>A vocabulary as other programs want it: every id, and how pieces are cut and joined.</summary>
/// <param name="Kind">How pieces are spelled.</param>
/// <param name="Tokens">Tokens by id, without gaps.</param>
/// <param name="Merges">Pairs to join, the most important first; empty where scores say it.</param>
/// <param name="Cut">How text is cut into pieces before that; null where it is cut by rules that have no name here.</param>
/// <param name="AddsSpace">Whether a space is put before a text.</param>
public sealed record VocabularyListing(
    VocabularyKind Kind, IReadOnlyList<ListedToken> Tokens, IReadOnlyList<(string Left, string Right)> Merges, SplitPattern? Cut, bool AddsSpace)
{
    /// <summary>Lists what files say.</summary>
    internal static VocabularyListing Of(BpeDefinition definition, int size, bool addsSpace)
    {
        var isBytes = definition.Metaspace is null;
        var tokens = new ListedToken?[size];
        var ranks = isBytes ? [] : Ranks(definition.Merges);
        foreach (var (text, id) in definition.Vocabulary)
        {
            var role = text == definition.UnknownToken ? TokenRole.Unknown
                : definition.Metaspace is { ByteFallback: true } && IsByte(text) ? TokenRole.Byte : TokenRole.Normal;
            // What no pair makes is joined last of all.
            tokens[id] = new ListedToken(text, role, isBytes ? 0 : -ranks.GetValueOrDefault(text, definition.Merges.Count + id));
        }
        foreach (var token in definition.AddedTokens)
        {
            var role = token.Content == definition.UnknownToken ? TokenRole.Unknown : token.Special ? TokenRole.Control : TokenRole.UserDefined;
            tokens[token.Id] = new ListedToken(token.Content, role);
        }
        return new VocabularyListing(
            isBytes ? VocabularyKind.ByteLevel : VocabularyKind.Characters, WithoutGaps(tokens), isBytes ? definition.Merges : [],
            definition.Cuts is null ? definition.Pattern : null, addsSpace);
    }

    /// <summary>Gives every id a token.</summary>
    internal static IReadOnlyList<ListedToken> WithoutGaps(IReadOnlyList<ListedToken?> tokens) =>
        [.. tokens.Select((token, id) => token ?? new ListedToken($"[PAD{id}]", TokenRole.Unused))];

    private static bool IsByte(string text) => text is ['<', '0', 'x', _, _, '>'];

    private static Dictionary<string, int> Ranks(IReadOnlyList<(string Left, string Right)> merges)
    {
        var ranks = new Dictionary<string, int>();
        for (var i = 0; i < merges.Count; i++)
            ranks.TryAdd(merges[i].Left + merges[i].Right, i);
        return ranks;
    }
}
