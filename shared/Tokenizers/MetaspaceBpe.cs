using System.Collections.Concurrent;
using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Espalier.Tokenizers;

/// <summary>
/// Byte-pair encoding over characters, as Llama 2 and Mixtral use it after SentencePiece (arXiv 1808.06226): cut out added
/// tokens, normalize, mark spaces, spell each piece in characters - one without a token as the bytes of its UTF-8 form, or
/// as the unknown token -, merge. Gives the ids that the reference library gives.
/// </summary>
public sealed class MetaspaceBpe : ITokenizer, IAddedTokens
{
    private const int LongestCachedPiece = 32;
    private const int CachedPieces = 200_000;

    private readonly BpeDefinition _definition;
    private readonly MetaspaceRules _rules;
    private readonly MergeTable _merges;
    private readonly AddedTokenMatcher _rawTokens;
    private readonly AddedTokenMatcher _normalizedTokens;
    private readonly int[] _byteIds = [];
    private readonly int? _unknownId;
    private readonly string?[] _tokens;
    private readonly ConcurrentDictionary<string, int[]> _cache = new();
    private int _cached;

    /// <param name="definition">What the file says.</param>
    /// <param name="bounds">The tokens around a document.</param>
    /// <param name="files">The files.</param>
    /// <param name="identity">Bytes that everything but the end token depends on.</param>
    internal MetaspaceBpe(BpeDefinition definition, TextBounds bounds, IReadOnlyDictionary<string, byte[]> files, byte[] identity)
    {
        (_definition, _rules, Files) = (definition, definition.Metaspace!, files);
        (EndTokenId, BeginTokenId, AddsBeginToken) = (bounds.End, bounds.Begin, bounds.AddsBegin);
        Digest = DigestOf(identity, bounds.End);
        _merges = new MergeTable(definition);
        _rawTokens = new AddedTokenMatcher(definition.AddedTokens.Where(t => !t.Normalized));
        _normalizedTokens = new AddedTokenMatcher(
            definition.AddedTokens.Where(t => t.Normalized).Select(t => t with { Content = Normalize(t.Content) }));
        if (_rules.ByteFallback)
            _byteIds = [.. Enumerable.Range(0, 256).Select(value => definition.Vocabulary[ByteToken(value)])];
        _unknownId = definition.UnknownToken is { } unknown ? definition.Vocabulary[unknown] : null;
        _tokens = new string?[definition.Vocabulary.Values.Concat(definition.AddedTokens.Select(t => t.Id)).DefaultIfEmpty(-1).Max() + 1];
        foreach (var (token, id) in definition.Vocabulary)
            _tokens[id] = token;
        foreach (var token in definition.AddedTokens)
            _tokens[token.Id] = token.Special ? null : token.Content;
    }

    /// <inheritdoc/>
    public int VocabularySize => _tokens.Length;

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

    /// <summary>Reads <c>tokenizer.json</c>; see <see cref="ByteLevelBpe.Read"/>.</summary>
    /// <exception cref="InvalidTokenizerException">The file is damaged, or needs something we do not do.</exception>
    public static MetaspaceBpe Read(ReadOnlyMemory<byte> tokenizerJson, ReadOnlyMemory<byte>? tokenizerConfig = null, int? endTokenId = null) =>
        TokenizerFiles.Read(tokenizerJson, tokenizerConfig, endTokenId) as MetaspaceBpe
            ?? throw new InvalidTokenizerException($"{TokenizerFiles.Tokenizer} is not a BPE with marks for spaces that is read here.");

    /// <inheritdoc/>
    public int[] Encode(string text)
    {
        var ids = new List<int>(text.Length / 3);
        var isStart = true;
        _rawTokens.Split(WithoutLoneSurrogates(text), EncodeRaw, AddToken);
        return [.. ids];

        void EncodeRaw(string part) => _normalizedTokens.Split(Normalize(part), EncodeText, AddToken);

        void EncodeText(string part)
        {
            EncodePart(part, isStart, ids);
            isStart = false;
        }

        void AddToken(int id)
        {
            ids.Add(id);
            isStart = false;
        }
    }

    /// <inheritdoc/>
    public VocabularyListing? List() =>
        VocabularyListing.Of(_definition, VocabularySize, addsSpace: Encode("a") is [var first, ..] && _tokens[first]?.StartsWith('\u2581') == true);

    /// <inheritdoc/>
    public string Decode(ReadOnlySpan<int> ids)
    {
        var text = new StringBuilder();
        var bytes = new List<byte>();
        var isFirst = true;
        foreach (var id in ids)
        {
            if ((uint)id >= (uint)_tokens.Length || _tokens[id] is not { } token)
                continue;
            if (_rules.DecoderMark is { } mark)
                token = token.Replace(mark, isFirst && !_rules.DecoderKeepsFirst ? "" : " ", StringComparison.Ordinal);
            foreach (var (from, to) in _rules.DecoderReplaces)
                token = token.Replace(from, to, StringComparison.Ordinal);
            isFirst = false;
            if (_rules.DecoderReadsBytes && TryReadByte(token, out var value))
            {
                bytes.Add(value);
                continue;
            }
            FlushBytes();
            text.Append(token);
        }
        FlushBytes();
        var strip = 0;
        while (strip < _rules.DecoderStrip.Count && strip < text.Length && text[strip] == _rules.DecoderStrip.Character)
            strip++;
        return text.ToString(strip, text.Length - strip);

        // A run of bytes that is not UTF-8 gives one replacement character for each of them.
        void FlushBytes()
        {
            if (bytes.Count == 0)
                return;
            var run = bytes.ToArray();
            bytes.Clear();
            if (System.Text.Unicode.Utf8.IsValid(run))
                text.Append(Encoding.UTF8.GetString(run));
            else
                text.Append('\uFFFD', run.Length);
        }
    }

    /// <summary>The token of one byte: <c>&lt;0x0A&gt;</c>.</summary>
    internal static string ByteToken(int value) => $"<0x{value:X2}>";

    private static bool TryReadByte(string token, out byte value)
    {
        value = 0;
        return token.Length == 6 && token.StartsWith("<0x", StringComparison.Ordinal) && token[5] == '>'
            && byte.TryParse(token.AsSpan(3, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
    }

    private void EncodePart(string part, bool isStart, List<int> ids)
    {
        if (_rules.Mark is not { } mark)
        {
            ids.AddRange(EncodePiece(part));
            return;
        }
        part = part.Replace(" ", mark, StringComparison.Ordinal);
        if (!part.StartsWith(mark, StringComparison.Ordinal) && (_rules.Prepend == PrependScheme.Always || _rules.Prepend == PrependScheme.First && isStart))
            part = mark + part;
        if (!_rules.Splits)
        {
            ids.AddRange(EncodePiece(part));
            return;
        }
        for (var start = 0; start < part.Length;) // each piece runs up to the next mark
        {
            var skipped = string.CompareOrdinal(part, start, mark, 0, mark.Length) == 0 ? mark.Length : 1;
            var next = part.IndexOf(mark, Math.Min(part.Length, start + skipped), StringComparison.Ordinal);
            var end = next < 0 ? part.Length : next;
            ids.AddRange(EncodePiece(part[start..end]));
            start = end;
        }
    }

    private int[] EncodePiece(string piece)
    {
        if (piece.Length <= LongestCachedPiece && _cache.TryGetValue(piece, out var known))
            return known;
        var ids = _definition.IgnoreMerges && _definition.Vocabulary.TryGetValue(piece, out var whole) ? [whole] : Merge(piece);
        if (piece.Length <= LongestCachedPiece && Volatile.Read(ref _cached) < CachedPieces && _cache.TryAdd(piece, ids))
            Interlocked.Increment(ref _cached);
        return ids;
    }

    private int[] Merge(string piece)
    {
        var symbols = new List<int>(piece.Length);
        var isUnknownBefore = false;
        Span<byte> utf8 = stackalloc byte[4];
        foreach (var rune in piece.EnumerateRunes())
        {
            if (_definition.Vocabulary.TryGetValue(rune.ToString(), out var id))
                symbols.Add(id);
            else if (_rules.ByteFallback)
            {
                var count = rune.EncodeToUtf8(utf8);
                foreach (var value in utf8[..count])
                    symbols.Add(_byteIds[value]);
            }
            else
            {
                if (_unknownId is { } unknown && !(isUnknownBefore && _definition.FuseUnknown))
                    symbols.Add(unknown);
                isUnknownBefore = true;
                continue;
            }
            isUnknownBefore = false;
        }
        var span = System.Runtime.InteropServices.CollectionsMarshal.AsSpan(symbols);
        return span[.._merges.Apply(span)].ToArray();
    }

    private string Normalize(string text) => _rules.Normalizer.Aggregate(text, (current, step) => step(current));

    private static string WithoutLoneSurrogates(string text) =>
        text.AsSpan().ContainsAnyInRange('\uD800', '\uDFFF') ? Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text)) : text;

    private static string DigestOf(byte[] identity, int endTokenId)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        hash.AppendData(identity);
        hash.AppendData(BitConverter.GetBytes(endTokenId));
        return Convert.ToHexStringLower(hash.GetHashAndReset());
    }
}
