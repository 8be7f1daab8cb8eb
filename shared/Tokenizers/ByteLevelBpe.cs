using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// Byte-level byte-pair encoding as GPT-2, Llama 3, Qwen and OLMoE use it: cut out added tokens, normalize, cut into
/// pieces, spell each piece in bytes, merge. Reads and writes <c>tokenizer.json</c>; gives the ids that the reference
/// library gives.
/// </summary>
public sealed class ByteLevelBpe : ITokenizer, IAddedTokens
{
    private const int LongestCachedPiece = 32;
    private const int CachedPieces = 200_000;

    private readonly BpeDefinition _definition;
    private readonly MergeTable _merges;
    private readonly AddedTokenMatcher _rawTokens;
    private readonly AddedTokenMatcher _normalizedTokens;
    private readonly int[] _byteIds;
    private readonly int? _unknownId;
    private readonly byte[]?[] _spellings;
    private readonly ConcurrentDictionary<string, int[]> _cache = new();
    private int _cached;

    /// <param name="definition">What the files say.</param>
    /// <param name="bounds">The tokens around a document.</param>
    /// <param name="files">The files.</param>
    /// <param name="identity">Bytes that everything but the end token depends on.</param>
    internal ByteLevelBpe(BpeDefinition definition, TextBounds bounds, IReadOnlyDictionary<string, byte[]> files, byte[] identity)
    {
        _definition = definition;
        (EndTokenId, BeginTokenId, AddsBeginToken) = (bounds.End, bounds.Begin, bounds.AddsBegin);
        Files = files;
        Digest = DigestOf(identity, bounds.End);
        _merges = new MergeTable(definition);
        _rawTokens = new AddedTokenMatcher(definition.AddedTokens.Where(t => !t.Normalized));
        _normalizedTokens = new AddedTokenMatcher(definition.AddedTokens.Where(t => t.Normalized)
            .Select(t => t with { Content = Normalize(t.Content) }));
        _byteIds = [.. Enumerable.Range(0, 256)
            .Select(b => definition.Vocabulary.TryGetValue(ByteAlphabet.ToCharacter((byte)b).ToString(), out var id) ? id : -1)];
        _unknownId = definition.UnknownToken is { } unknown ? definition.Vocabulary[unknown] : null;
        _spellings = CreateSpellings(definition);
        VocabularySize = _spellings.Length;
    }

    /// <inheritdoc/>
    public int VocabularySize { get; }

    /// <inheritdoc/>
    public int EndTokenId { get; }

    /// <inheritdoc/>
    public int? BeginTokenId { get; }

    /// <inheritdoc/>
    public bool AddsBeginToken { get; }

    /// <inheritdoc/>
    int IAddedTokens.WordCount => _definition.WordCount;

    /// <inheritdoc/>
    IReadOnlyList<AddedToken> IAddedTokens.AddedTokens => _definition.AddedTokens;

    /// <inheritdoc/>
    public IReadOnlyDictionary<string, byte[]> Files { get; }

    /// <inheritdoc/>
    public string Digest { get; }

    /// <summary>The merges in order, each half in the printable byte alphabet.</summary>
    public IReadOnlyList<(string Left, string Right)> Merges => _definition.Merges;

    /// <summary>
    /// Learns a vocabulary: the end token <c>&lt;|endoftext|&gt;</c> as id 0, 256 bytes, then the most frequent pairs.
    /// Deterministic; the order of the texts does not matter.
    /// </summary>
    /// <param name="texts">Training text; pieces never cross from one to the next.</param>
    /// <param name="vocabularySize">Ids in all; fewer come out when no pair is left that occurs twice.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public static ByteLevelBpe Train(IEnumerable<string> texts, int vocabularySize, CancellationToken cancellationToken = default)
    {
        var definition = BpeTrainer.Train(texts, vocabularySize, cancellationToken);
        return Written(definition, BpeTrainer.EndToken, end: 0);
    }

    /// <summary>Every byte is a token, ids 0 to 255; <c>&lt;|endoftext|&gt;</c>, id 256, ends a document. Written like any other vocabulary.</summary>
    public static ByteLevelBpe OfBytes()
    {
        const int End = 256;
        var vocabulary = Enumerable.Range(0, End).ToDictionary(value => ByteAlphabet.ToCharacter((byte)value).ToString(), value => value);
        vocabulary.Add(BpeTrainer.EndToken, End);
        var definition = new BpeDefinition
        {
            Vocabulary = vocabulary,
            Merges = [],
            AddedTokens = [new AddedToken(End, BpeTrainer.EndToken, Special: true)],
        };
        return Written(definition, BpeTrainer.EndToken, End);
    }

    private static ByteLevelBpe Written(BpeDefinition definition, string endToken, int end)
    {
        var files = TokenizerJsonWriter.Write(definition, endToken);
        return new ByteLevelBpe(definition, new TextBounds(end), files, files[TokenizerFiles.Tokenizer]);
    }

    /// <summary>Reads <c>tokenizer.json</c>.</summary>
    /// <param name="tokenizerJson">The file.</param>
    /// <param name="tokenizerConfig">The file <c>tokenizer_config.json</c> beside it, which names the end token; may be absent.</param>
    /// <param name="endTokenId">The end token of the model's configuration, for files that name none.</param>
    /// <exception cref="InvalidTokenizerException">The file is damaged, or needs something we do not do.</exception>
    public static ByteLevelBpe Read(ReadOnlyMemory<byte> tokenizerJson, ReadOnlyMemory<byte>? tokenizerConfig = null, int? endTokenId = null) =>
        TokenizerFiles.Read(tokenizerJson, tokenizerConfig, endTokenId) as ByteLevelBpe
            ?? throw new InvalidTokenizerException($"{TokenizerFiles.Tokenizer}: pre_tokenizer is not ByteLevel.");

    /// <summary>Reads the older pair of files <c>vocab.json</c> and <c>merges.txt</c>.</summary>
    /// <exception cref="InvalidTokenizerException">A file is damaged.</exception>
    public static ByteLevelBpe ReadVocabularyAndMerges(
        ReadOnlyMemory<byte> vocabulary, ReadOnlyMemory<byte> merges, ReadOnlyMemory<byte>? tokenizerConfig = null, int? endTokenId = null)
    {
        var files = new Dictionary<string, byte[]>();
        if (tokenizerConfig is { } configuration)
            files[TokenizerFiles.Configuration] = configuration.ToArray();
        return VocabularyAndMerges.Read(vocabulary, merges, TokenizerSettings.Read(TokenizerSource.Of(files), endTokenId));
    }

    /// <inheritdoc/>
    public int[] Encode(string text)
    {
        var ids = new List<int>(text.Length / 3);
        _rawTokens.Split(WithoutLoneSurrogates(text), EncodeRaw, ids.Add);
        return [.. ids];

        void EncodeRaw(string part) => _normalizedTokens.Split(Normalize(part), EncodeText, ids.Add);

        void EncodeText(string part) => EncodePieces(part, ids);
    }

    /// <inheritdoc/>
    public VocabularyListing? List() =>
        _definition.MergesBySpelling ? null : VocabularyListing.Of(_definition, VocabularySize, _definition.AddPrefixSpace);

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var bytes = new List<byte>(ids.Length * 4);
        foreach (var id in ids)
        {
            if ((uint)id < (uint)_spellings.Length && _spellings[id] is { } spelling)
                bytes.AddRange(spelling);
        }
        return Encoding.UTF8.GetString([.. bytes]);
    }

    private void EncodePieces(string text, List<int> ids)
    {
        if (_definition.Cuts is { } cuts)
        {
            foreach (var piece in TextCut.Apply(cuts, text))
                AddPiece(piece, ids);
            return;
        }
        var rest = (_definition.AddPrefixSpace && text[0] != ' ' ? " " + text : text).AsSpan();
        while (rest.Length > 0)
        {
            var length = PieceScanner.NextPiece(rest, _definition.Pattern);
            AddPiece(rest[..length], ids);
            rest = rest[length..];
        }
    }

    private void AddPiece(ReadOnlySpan<char> piece, List<int> ids)
    {
        if (piece.Length > LongestCachedPiece)
        {
            ids.AddRange(EncodePiece(piece));
            return;
        }
        var cache = _cache.GetAlternateLookup<ReadOnlySpan<char>>();
        if (!cache.TryGetValue(piece, out var pieceIds))
        {
            pieceIds = EncodePiece(piece);
            if (Volatile.Read(ref _cached) < CachedPieces && cache.TryAdd(piece, pieceIds))
                Interlocked.Increment(ref _cached);
        }
        ids.AddRange(pieceIds);
    }

    private int[] EncodePiece(ReadOnlySpan<char> piece)
    {
        var bytes = new byte[Encoding.UTF8.GetByteCount(piece)];
        Encoding.UTF8.GetBytes(piece, bytes);
        if (_definition.IgnoreMerges && _definition.Vocabulary.TryGetValue(ByteAlphabet.Spell(bytes), out var whole))
            return [whole];

        var symbols = new int[bytes.Length];
        var count = 0;
        var unknownBefore = false;
        foreach (var value in bytes)
        {
            var unknown = _byteIds[value] < 0;
            if (!unknown)
                symbols[count++] = _byteIds[value];
            else if (_unknownId is { } id && !(unknownBefore && _definition.FuseUnknown))
                symbols[count++] = id;
            unknownBefore = unknown;
        }
        return symbols[.._merges.Apply(symbols.AsSpan(0, count))];
    }

    private string Normalize(string text) => _definition.Compose ? CanonicalComposition.Normalize(text) : text;

    private static string WithoutLoneSurrogates(string text) =>
        text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) : text;

    private static byte[]?[] CreateSpellings(BpeDefinition definition)
    {
        var largest = definition.Vocabulary.Values.Concat(definition.AddedTokens.Select(t => t.Id)).DefaultIfEmpty(-1).Max();
        var spellings = new byte[]?[largest + 1];
        foreach (var (token, id) in definition.Vocabulary)
            spellings[id] = ByteAlphabet.ToBytes(token);
        foreach (var token in definition.AddedTokens)
            spellings[token.Id] = token.Special ? null : Encoding.UTF8.GetBytes(token.Content);
        return spellings;
    }

    private static string DigestOf(byte[] identity, int endTokenId)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(identity);
        hash.AppendData(BitConverter.GetBytes(endTokenId));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
