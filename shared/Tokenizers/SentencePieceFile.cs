namespace Espalier.Tokenizers;

/// <summary>What kind of entry a piece is.</summary>
internal enum PieceKind
{
    Normal = 1,
    Unknown = 2,
    Control = 3,
    UserDefined = 4,
    Unused = 5,
    Byte = 6,
}

/// <summary>One entry of a SentencePiece vocabulary; its place is its id.</summary>
internal readonly record struct Piece(string Text, float Score, PieceKind Kind);

/// <summary>
/// A SentencePiece model (arXiv 1808.06226), as far as encoding needs it. The file is a Protocol Buffers message of
/// <c>sentencepiece_model.proto</c>: pieces (1), trainer (2) and normalizer (3); unknown fields are passed over.
/// </summary>
internal sealed class SentencePieceFile
{
    private const int MaxFileBytes = 16 << 20; // 256,000 pieces take 4 MiB
    private const int Unigram = 1, BytePair = 2;

    private readonly string _file;
    private readonly List<Piece> _pieces = [];
    private int _model = Unigram;

    private SentencePieceFile(string file) => _file = file;

    /// <summary>The pieces by id.</summary>
    public IReadOnlyList<Piece> Pieces => _pieces;

    /// <summary>Id by piece.</summary>
    public IReadOnlyDictionary<string, int> Ids { get; private set; } = new Dictionary<string, int>();

    /// <summary>Whether pieces are merged as in byte-pair encoding; else the likeliest cut is taken.</summary>
    public bool IsBytePair => _model == BytePair;

    /// <summary>Whether characters without a piece are spelled in bytes.</summary>
    public bool HasByteFallback { get; private set; }

    /// <summary>Whether the mark of a space goes behind a word.</summary>
    public bool MarksSpacesBehind { get; private set; }

    /// <summary>Whether a space is put before (or behind) every text.</summary>
    public bool AddsDummyPrefix { get; private set; } = true;

    /// <summary>Whether spaces at the ends and repeated ones go.</summary>
    public bool RemovesExtraSpaces { get; private set; } = true;

    /// <summary>Whether spaces become marks.</summary>
    public bool EscapesSpaces { get; private set; } = true;

    /// <summary>Changes characters before anything else.</summary>
    public CharacterMap Map { get; private set; } = CharacterMap.None;

    /// <summary>Name of the piece that begins a text.</summary>
    public string Begin { get; private set; } = "<s>";

    /// <summary>Name of the piece that ends a text.</summary>
    public string End { get; private set; } = "</s>";

    /// <summary>Id of the unknown piece.</summary>
    public int Unknown { get; private set; }

    /// <summary>Reads and checks a model.</summary>
    /// <exception cref="InvalidTokenizerException">It is not such a model, or has something that is not reproduced exactly.</exception>
    public static SentencePieceFile Read(string file, ReadOnlyMemory<byte> bytes)
    {
        if (bytes.Length > MaxFileBytes)
            throw new InvalidTokenizerException($"{file} is {bytes.Length} bytes long; at most {MaxFileBytes} are read.");
        var model = new SentencePieceFile(file);
        try
        {
            foreach (var field in ProtocolFields.Of(bytes))
                model.Take(field);
        }
        catch (FormatException exception)
        {
            throw new InvalidTokenizerException($"{file} is not a SentencePiece model: {exception.Message}.", exception);
        }
        model.Check();
        return model;
    }

    private void Take(ProtocolField field)
    {
        switch (field.Number)
        {
            case 1:
                if (_pieces.Count >= TokenizerJsonReader.MaxEntries)
                    throw new FormatException($"it has more than {TokenizerJsonReader.MaxEntries} pieces");
                _pieces.Add(ReadPiece(field));
                break;
            case 2:
                foreach (var entry in ProtocolFields.Of(field.Bytes))
                    TakeTrainer(entry);
                break;
            case 3:
                foreach (var entry in ProtocolFields.Of(field.Bytes))
                    TakeNormalizer(entry);
                break;
        }
    }

    private static Piece ReadPiece(ProtocolField message)
    {
        var piece = new Piece("", 0, PieceKind.Normal);
        foreach (var field in ProtocolFields.Of(message.Bytes))
        {
            piece = field.Number switch
            {
                1 => piece with { Text = field.Text },
                2 => piece with { Score = field.Single },
                3 => piece with { Kind = (PieceKind)field.Value },
                _ => piece,
            };
        }
        return piece;
    }

    private void TakeTrainer(ProtocolField field)
    {
        switch (field.Number)
        {
            case 3:
                _model = (int)field.Value;
                break;
            case 24:
                MarksSpacesBehind = field.Value != 0;
                break;
            case 35:
                HasByteFallback = field.Value != 0;
                break;
            case 46:
                Begin = field.Text;
                break;
            case 47:
                End = field.Text;
                break;
        }
    }

    private void TakeNormalizer(ProtocolField field)
    {
        switch (field.Number)
        {
            case 2:
                Map = CharacterMap.Read(field.Bytes.Span);
                break;
            case 3:
                AddsDummyPrefix = field.Value != 0;
                break;
            case 4:
                RemovesExtraSpaces = field.Value != 0;
                break;
            case 5:
                EscapesSpaces = field.Value != 0;
                break;
        }
    }

    private void Check()
    {
        if (_pieces.Count == 0)
            throw new InvalidTokenizerException($"{_file} has no pieces: it is not a SentencePiece model.");
        if (_model is not (Unigram or BytePair))
            throw new InvalidTokenizerException($"{_file} has the model type {_model}; unigram (1) and BPE (2) are read.");
        var ids = new Dictionary<string, int>(_pieces.Count, StringComparer.Ordinal);
        for (var id = 0; id < _pieces.Count; id++)
        {
            var (text, score, kind) = _pieces[id];
            if (text.Length is 0 or > TokenizerJsonReader.MaxSpelledLength || !ids.TryAdd(text, id))
                throw new InvalidTokenizerException($"{_file}: piece {id} is empty, too long, or there twice.");
            if (!float.IsFinite(score) || !Enum.IsDefined(kind))
                throw new InvalidTokenizerException($"{_file}: piece {id} '{text}' has the score {score} and the type {(int)kind}.");
            if (kind == PieceKind.Byte && !IsByte(text))
                throw new InvalidTokenizerException($"{_file}: piece {id} '{text}' is of the type byte; expected <0x00> to <0xFF>.");
            if (kind == PieceKind.Unused && IsBytePair)
                throw new InvalidTokenizerException($"{_file}: piece {id} '{text}' is marked as unused, which is not supported in a BPE model.");
        }
        var unknown = _pieces.FindAll(piece => piece.Kind == PieceKind.Unknown);
        if (unknown.Count != 1)
            throw new InvalidTokenizerException($"{_file} has {unknown.Count} unknown pieces; expected one.");
        (Ids, Unknown) = (ids, ids[unknown[0].Text]);
        if (HasByteFallback && Enumerable.Range(0, 256).Any(value => !ids.ContainsKey(MetaspaceBpe.ByteToken(value))))
            throw new InvalidTokenizerException($"{_file} spells unknown characters in bytes and lacks some of the 256 pieces from <0x00> to <0xFF>.");
    }

    private static bool IsByte(string text) => text.Length == 6 && byte.TryParse(
        text.AsSpan(3, 2), System.Globalization.NumberStyles.AllowHexSpecifier, System.Globalization.CultureInfo.InvariantCulture, out var value)
        && text == MetaspaceBpe.ByteToken(value);
}
