using System.Security.Cryptography;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// SentencePiece (arXiv 1808.06226) as Llama, Mistral, Mixtral, Gemma and T5 ship it: added tokens are cut out as transformers does, every
/// part is normalized and cut into pieces. Gives the ids that the reference library gives.
/// </summary>
internal sealed class SentencePieceTokenizer : ITokenizer, IAddedTokens
{
    // Their vocabulary is numbered otherwise than the file.
    private static readonly string[] Renumbered =
    [
        "XLMRobertaTokenizer", "CamembertTokenizer", "MBartTokenizer", "MBart50Tokenizer", "XGLMTokenizer", "NllbTokenizer", "M2M100Tokenizer",
        "BarthezTokenizer", "PegasusTokenizer",
    ];

    private static readonly byte[] UnknownText = " \u2047 "u8.ToArray();

    private readonly SentencePieceFile _file;
    private readonly SentencePieceNormalizer _normalizer;
    private readonly SentencePieceMerges? _merges;
    private readonly SentencePieceUnigram? _unigram;
    private readonly AddedTokenMatcher _added;
    private readonly Dictionary<int, byte[]?> _addedTexts;
    private readonly int[] _byteIds;
    private readonly bool _prefixesEveryPart;
    private readonly bool _prefixes;

    private SentencePieceTokenizer(
        SentencePieceFile file, IReadOnlyList<AddedToken> added, TextBounds bounds, TokenizerSettings settings, ReadOnlySpan<byte> bytes)
    {
        _file = file;
        AddedTokens = added;
        (EndTokenId, BeginTokenId, AddsBeginToken) = (bounds.End, bounds.Begin, bounds.AddsBegin);
        var userDefined = new ByteTrie();
        for (var id = 0; id < file.Pieces.Count; id++)
        {
            if (file.Pieces[id].Kind == PieceKind.UserDefined)
                userDefined.Add(Encoding.UTF8.GetBytes(file.Pieces[id].Text), id);
        }
        _normalizer = new SentencePieceNormalizer(file, userDefined);
        if (file.IsBytePair)
            _merges = new SentencePieceMerges(file, userDefined);
        else
            _unigram = new SentencePieceUnigram(file);
        _added = new AddedTokenMatcher(added);
        _addedTexts = added.ToDictionary(token => token.Id, token => token.Special ? null : Encoding.UTF8.GetBytes(token.Content));
        _prefixesEveryPart = settings.IsLegacy ?? true;
        _prefixes = settings.AddsPrefixSpace ?? true;
        _byteIds = file.HasByteFallback ? [.. Enumerable.Range(0, 256).Select(value => file.Ids[MetaspaceBpe.ByteToken(value)])] : [];
        Digest = DigestOf(bytes, added);
    }

    /// <inheritdoc/>
    public int VocabularySize => Math.Max(_file.Pieces.Count, AddedTokens.Select(token => token.Id).DefaultIfEmpty(-1).Max() + 1);

    /// <inheritdoc/>
    public int EndTokenId { get; }

    /// <inheritdoc/>
    public int? BeginTokenId { get; }

    /// <inheritdoc/>
    public bool AddsBeginToken { get; }

    /// <inheritdoc/>
    public int WordCount => _file.Pieces.Count;

    /// <inheritdoc/>
    public IReadOnlyList<AddedToken> AddedTokens { get; }

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, byte[]> Files { get; private init; } = new Dictionary<string, byte[]>();

    /// <inheritdoc/>
    public string Digest { get; }

    /// <summary>Reads a model with what the files beside it say.</summary>
    /// <exception cref="InvalidTokenizerException">The file is damaged, or its class numbers pieces otherwise.</exception>
    public static SentencePieceTokenizer Read(string name, ReadOnlyMemory<byte> bytes, TokenizerSettings settings)
    {
        if (Renumbered.Contains(settings.ClassOrDefault))
        {
            throw new InvalidTokenizerException(
                $"{TokenizerFiles.Configuration} has tokenizer_class '{settings.ClassOrDefault}', which numbers the pieces of {name} in its own way: "
                + $"convert the tokenizer to {TokenizerFiles.Tokenizer}.");
        }
        var file = SentencePieceFile.Read(name, bytes);
        var definition = new BpeDefinition
        {
            Vocabulary = file.Ids,
            Merges = [],
            AddedTokens = [.. file.Ids.Where(entry => file.Pieces[entry.Value].Kind is PieceKind.Control or PieceKind.Unknown)
                .OrderBy(entry => entry.Value).Select(entry => new AddedToken(entry.Value, entry.Key, Special: true))],
        };
        definition = definition with { AddedTokens = [.. definition.AddedTokens, .. ExtraTokens.Missing(definition, settings)] };
        definition = ExtraTokens.AddSpecial(definition, settings.SpecialTexts);
        var bounds = BoundTokens.Choose(definition, WithDefaults(settings, file), name);
        return new SentencePieceTokenizer(file, definition.AddedTokens, bounds, settings, bytes.Span)
        {
            Files = new Dictionary<string, byte[]> { [name] = bytes.ToArray() },
        };
    }

    /// <inheritdoc/>
    public int[] Encode(string text)
    {
        var ids = new List<int>(text.Length / 3);
        var isStart = true;
        _added.Split(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)), EncodePart, id => // lone surrogates become U+FFFD
        {
            ids.Add(id);
            isStart = false;
        });
        return [.. ids];

        void EncodePart(string part)
        {
            Cut(_normalizer.Normalize(Encoding.UTF8.GetBytes(part), _prefixes && (isStart || _prefixesEveryPart)), ids);
            isStart = false;
        }
    }

    /// <inheritdoc/>
    public VocabularyListing? List()
    {
        if (!_file.IsBytePair)
            return null;
        var tokens = new ListedToken?[VocabularySize];
        for (var id = 0; id < _file.Pieces.Count; id++)
            tokens[id] = new ListedToken(_file.Pieces[id].Text, RoleOf(_file.Pieces[id].Kind), _file.Pieces[id].Score);
        foreach (var token in AddedTokens.Where(token => token.Id >= _file.Pieces.Count))
            tokens[token.Id] = new ListedToken(token.Content, token.Special ? TokenRole.Control : TokenRole.UserDefined);
        return new VocabularyListing(
            VocabularyKind.Characters, VocabularyListing.WithoutGaps(tokens), [], null,
            AddsSpace: Encode("a") is [var first, ..] && tokens[first]?.Text.StartsWith('\u2581') == true);
    }

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>(ids.Length * 4);
        foreach (var id in ids)
        {
            if (_addedTexts.TryGetValue(id, out var added) && id != _file.Unknown)
                bytes.AddRange(added ?? []);
            else if ((uint)id < (uint)_file.Pieces.Count)
                bytes.AddRange(Spell(_file.Pieces[id]));
        }
        var text = Encoding.UTF8.GetString([.. bytes]).Replace('▁', ' ');
        if (!_file.AddsDummyPrefix || !_prefixes)
            return text;
        return _file.MarksSpacesBehind ? (text.EndsWith(' ') ? text[..^1] : text) : text.StartsWith(' ') ? text[1..] : text;
    }

    private void Cut(byte[] text, List<int> ids)
    {
        var at = 0;
        var isAfterUnknown = false;
        foreach (var (id, length) in _merges?.Cut(text) ?? _unigram!.Cut(text))
        {
            var isUnknown = id == _file.Unknown;
            if (isUnknown && _file.HasByteFallback)
            {
                foreach (var value in text.AsSpan(at, length))
                    ids.Add(_byteIds[value]);
            }
            else if (!(isUnknown && isAfterUnknown)) // neighbouring unknown pieces are one
                ids.Add(id);
            isAfterUnknown = isUnknown;
            at += length;
        }
    }

    private static byte[] Spell(Piece piece) => piece.Kind switch
    {
        PieceKind.Byte => [Convert.ToByte(piece.Text[3..5], 16)],
        PieceKind.Unknown => UnknownText,
        PieceKind.Control => [],
        _ => Encoding.UTF8.GetBytes(piece.Text),
    };

    // The model names its own begin and end; the files beside it may say otherwise.
    private static TokenizerSettings WithDefaults(TokenizerSettings settings, SentencePieceFile file)
    {
        var special = new Dictionary<string, string>(settings.Special);
        var controls = file.Pieces.Where(piece => piece.Kind == PieceKind.Control).Select(piece => piece.Text).ToHashSet(StringComparer.Ordinal);
        if (controls.Contains(file.End))
            special.TryAdd("eos_token", file.End);
        if (controls.Contains(file.Begin))
            special.TryAdd("bos_token", file.Begin);
        return settings with { Special = special };
    }

    private static TokenRole RoleOf(PieceKind kind) => kind switch
    {
        PieceKind.Unknown => TokenRole.Unknown,
        PieceKind.Control => TokenRole.Control,
        PieceKind.UserDefined => TokenRole.UserDefined,
        PieceKind.Unused => TokenRole.Unused,
        PieceKind.Byte => TokenRole.Byte,
        _ => TokenRole.Normal,
    };

    private string DigestOf(ReadOnlySpan<byte> bytes, IReadOnlyList<AddedToken> added)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(ExtraTokens.Identity(bytes.ToArray(), added));
        hash.AppendData(Encoding.UTF8.GetBytes($"SentencePiece, end {EndTokenId}, {_prefixes}, {_prefixesEveryPart}"));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
