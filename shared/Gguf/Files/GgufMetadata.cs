using System.Text;

namespace Espalier.Gguf.Files;

/// <summary>Keys and values at the beginning of a GGUF file, in the order in which they were added.</summary>
internal sealed class GgufMetadata
{
    private readonly MemoryStream _bytes = new();
    private readonly BinaryWriter _writer;
    private readonly HashSet<string> _keys = [];

    public GgufMetadata() => _writer = new BinaryWriter(_bytes);

    /// <summary>How many there are.</summary>
    public int Count => _keys.Count;

    public ReadOnlyMemory<byte> Bytes => _bytes.GetBuffer().AsMemory(0, (int)_bytes.Length);

    public void Add(string key, string value)
    {
        Begin(key, GgufValueType.String);
        WriteText(_writer, value);
    }

    public void Add(string key, long value)
    {
        Begin(key, GgufValueType.UInt32);
        _writer.Write(checked((uint)value));
    }

    public void Add(string key, double value)
    {
        Begin(key, GgufValueType.Float32);
        _writer.Write((float)value);
    }

    public void Add(string key, bool value)
    {
        Begin(key, GgufValueType.Boolean);
        _writer.Write(value);
    }

    public void Add(string key, IReadOnlyCollection<string> values)
    {
        BeginList(key, GgufValueType.String, values.Count);
        foreach (var value in values)
            WriteText(_writer, value);
    }

    public void Add(string key, IReadOnlyCollection<float> values)
    {
        BeginList(key, GgufValueType.Float32, values.Count);
        foreach (var value in values)
            _writer.Write(value);
    }

    public void Add(string key, IReadOnlyCollection<int> values)
    {
        BeginList(key, GgufValueType.Int32, values.Count);
        foreach (var value in values)
            _writer.Write(value);
    }

    /// <summary>A length of 8 bytes, then UTF-8.</summary>
    public static void WriteText(BinaryWriter writer, string text)
    {
        var bytes = Encoding.UTF8.GetBytes(text);
        writer.Write((ulong)bytes.Length);
        writer.Write(bytes);
    }

    private void Begin(string key, GgufValueType type)
    {
        if (!_keys.Add(key))
            throw new InvalidOperationException($"The key {key} is there twice.");
        WriteText(_writer, key);
        _writer.Write((uint)type);
    }

    private void BeginList(string key, GgufValueType type, int count)
    {
        Begin(key, GgufValueType.Array);
        _writer.Write((uint)type);
        _writer.Write((ulong)count);
    }
}

/// <summary>Types of values, as numbered in the file.</summary>
internal enum GgufValueType
{
    UInt8 = 0,
    Int8 = 1,
    UInt16 = 2,
    Int16 = 3,
    UInt32 = 4,
    Int32 = 5,
    Float32 = 6,
    Boolean = 7,
    String = 8,
    Array = 9,
    UInt64 = 10,
    Int64 = 11,
    Float64 = 12,
}
