using System.Buffers.Binary;
using System.Text;

namespace Espalier.Datasets.Building;

/// <summary>What becomes of a document.</summary>
internal enum Fate : byte
{
    /// <summary>It is part of the dataset.</summary>
    Kept,

    /// <summary>An earlier document has the same text.</summary>
    Duplicate,

    /// <summary>An earlier document has nearly the same text.</summary>
    NearDuplicate,

    /// <summary>The domain is full.</summary>
    OverLimit,

    /// <summary>It shares words in a row with an evaluation item.</summary>
    Contaminated,

    /// <summary>A share of the documents was asked for, and it is not among them.</summary>
    Pruned,
}

/// <summary>
/// Clean documents on disk, numbered from 0, with a few bytes about each in memory: how long it is, what becomes of it, and in which split
/// it stands.
/// </summary>
/// <param name="folder">Where the file goes.</param>
internal sealed class DocumentSpool(string folder) : IDisposable
{
    private const int HeaderBytes = 8;
    private const int WindowBytes = 1 << 20;
    private const int MarkEvery = 4096;

    private readonly ScratchFile _file = new(folder);
    private readonly List<(int SizeBytes, Fate Fate, byte Split)> _facts = [];
    private readonly List<(int Document, long Position)> _marks = [];

    /// <summary>Documents so far.</summary>
    public int Count => _facts.Count;

    /// <summary>Adds a document at the end; returns its number.</summary>
    /// <param name="id">Its name in UTF-8.</param>
    /// <param name="text">Its text in UTF-8.</param>
    /// <param name="split">Where the rule puts it.</param>
    public int Add(ReadOnlySpan<byte> id, ReadOnlySpan<byte> text, string split)
    {
        // A position now and then is enough to start near any document.
        if (_facts.Count % MarkEvery == 0)
            _marks.Add((_facts.Count, _file.Length));
        Span<byte> header = stackalloc byte[HeaderBytes];
        BinaryPrimitives.WriteInt32LittleEndian(header, id.Length);
        BinaryPrimitives.WriteInt32LittleEndian(header[4..], text.Length);
        _file.Append(header);
        _file.Append(id);
        _file.Append(text);
        _facts.Add((text.Length, Fate.Kept, SplitNumber(split)));
        return _facts.Count - 1;
    }

    /// <summary>UTF-8 bytes of a document's text.</summary>
    public int SizeBytes(int document) => _facts[document].SizeBytes;

    /// <summary>What becomes of a document.</summary>
    public Fate FateOf(int document) => _facts[document].Fate;

    /// <summary>The split that a document stands in.</summary>
    public string SplitOf(int document) => DatasetSplits.Stored[_facts[document].Split];

    /// <summary>Settles what becomes of a document.</summary>
    public void Settle(int document, Fate fate) => _facts[document] = _facts[document] with { Fate = fate };

    /// <summary>Puts a document into another split.</summary>
    public void Move(int document, string split) => _facts[document] = _facts[document] with { Split = SplitNumber(split) };

    /// <summary>Ends adding: documents can be read now.</summary>
    public void Complete() => _file.Flush();

    /// <summary>Those documents of a range that are wanted, in order. Their bytes last until the next one is asked for.</summary>
    public IEnumerable<SpooledDocument> Read(Range range, Func<int, bool> wanted)
    {
        var (from, count) = range.GetOffsetAndLength(Count);
        if (count == 0)
            yield break;
        var (number, position) = _marks[from / MarkEvery];
        var window = new Window(_file);
        for (; number < from + count; number++)
        {
            var header = window.At(position, HeaderBytes).Span;
            var idBytes = BinaryPrimitives.ReadInt32LittleEndian(header);
            var textBytes = BinaryPrimitives.ReadInt32LittleEndian(header[4..]);
            if (number >= from && wanted(number))
            {
                var bytes = window.At(position + HeaderBytes, idBytes + textBytes);
                yield return new SpooledDocument(number, bytes[..idBytes], bytes[idBytes..]);
            }
            position += HeaderBytes + idBytes + textBytes;
        }
    }

    public void Dispose() => _file.Dispose();

    private static byte SplitNumber(string split)
    {
        for (byte i = 0; i < DatasetSplits.Stored.Count; i++)
        {
            if (DatasetSplits.Stored[i] == split)
                return i;
        }
        throw new ArgumentException($"There is no split '{split}'.", nameof(split));
    }

    /// <summary>A part of the file in memory that moves forward; larger while a document is.</summary>
    private sealed class Window(ScratchFile file)
    {
        private byte[] _bytes = new byte[WindowBytes];
        private long _from;
        private int _length;

        public ReadOnlyMemory<byte> At(long position, int count)
        {
            if (position < _from || position + count > _from + _length)
            {
                if (count > _bytes.Length)
                    _bytes = new byte[count];
                _length = (int)Math.Min(_bytes.Length, file.Length - position);
                file.ReadExactly(position, _bytes.AsSpan(0, _length));
                _from = position;
            }
            return _bytes.AsMemory((int)(position - _from), count);
        }
    }
}

/// <summary>A document as it lies in a spool.</summary>
/// <param name="Number">Its number.</param>
/// <param name="Id">Its name in UTF-8.</param>
/// <param name="Text">Its text in UTF-8.</param>
internal readonly record struct SpooledDocument(int Number, ReadOnlyMemory<byte> Id, ReadOnlyMemory<byte> Text)
{
    /// <summary>Its name.</summary>
    public string ToId() => Encoding.UTF8.GetString(Id.Span);

    /// <summary>The document as text.</summary>
    public Document ToDocument() => new(ToId(), Encoding.UTF8.GetString(Text.Span));
}
