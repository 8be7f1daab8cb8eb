using System.Text;
using Espalier.Gguf.Blocks;

namespace Espalier.Gguf.Files;

/// <summary>A tensor of a file that was read.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Shape">Extents, the widest stride first.</param>
/// <param name="Type">How it is stored.</param>
/// <param name="Offset">Where its bytes begin in the file.</param>
public sealed record GgufEntry(string Name, IReadOnlyList<long> Shape, IBlockType Type, long Offset)
{
    /// <summary>Bytes in the file.</summary>
    public long SizeBytes => Type.SizeOf(Shape.Aggregate(1L, (product, extent) => product * extent));
}

/// <summary>Reads GGUF files of version 3. The file is hostile until proven otherwise: counts, lengths and offsets are checked against its size.</summary>
public sealed class GgufReader : IDisposable
{
    private const int MostEntries = 1 << 20, LongestText = 1 << 20, MostExtents = 4;

    private readonly FileStream _file;
    private readonly Dictionary<string, GgufEntry> _tensors = [];
    private readonly Dictionary<string, object> _values = [];

    private GgufReader(FileStream file) => _file = file;

    /// <summary>Values by key: numbers, text, or lists of them.</summary>
    public IReadOnlyDictionary<string, object> Values => _values;

    /// <summary>Tensors by name.</summary>
    public IReadOnlyDictionary<string, GgufEntry> Tensors => _tensors;

    /// <summary>Opens a file and reads all but its weights.</summary>
    /// <exception cref="InvalidGgufException">It is no such file, or is damaged.</exception>
    public static GgufReader Open(string path)
    {
        var reader = new GgufReader(new FileStream(path, FileMode.Open, FileAccess.Read, FileShare.Read, 1 << 16));
        try
        {
            reader.ReadHeader();
            return reader;
        }
        catch (EndOfStreamException)
        {
            reader.Dispose();
            throw new InvalidGgufException($"{path} ends within its header");
        }
        catch
        {
            reader.Dispose();
            throw;
        }
    }

    /// <summary>The weights of a tensor, expanded.</summary>
    public float[] Read(string name)
    {
        var entry = _tensors.TryGetValue(name, out var found) ? found : throw new InvalidGgufException($"there is no tensor '{name}'");
        var bytes = ReadBytes(name);
        var weights = new float[entry.Shape.Aggregate(1L, (product, extent) => product * extent)];
        entry.Type.DecodeAll(bytes, weights);
        return weights;
    }

    /// <summary>The bytes of a tensor, as they are stored.</summary>
    public byte[] ReadBytes(string name)
    {
        var entry = _tensors.TryGetValue(name, out var found) ? found : throw new InvalidGgufException($"there is no tensor '{name}'");
        var bytes = new byte[entry.SizeBytes];
        _file.Position = entry.Offset;
        _file.ReadExactly(bytes);
        return bytes;
    }

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();

    private void ReadHeader()
    {
        using var reader = new BinaryReader(_file, Encoding.UTF8, leaveOpen: true);
        if (reader.ReadUInt32() != GgufWriter.Magic)
            throw new InvalidGgufException($"{_file.Name} is no GGUF file");
        if (reader.ReadUInt32() is var version && version != GgufWriter.Version)
            throw new InvalidGgufException($"{_file.Name} has version {version}; {GgufWriter.Version} is read");
        var (tensors, values) = (Count(reader, "tensors"), Count(reader, "values"));
        for (var i = 0; i < values; i++)
        {
            var key = ReadText(reader);
            if (!_values.TryAdd(key, ReadValue(reader, (GgufValueType)reader.ReadUInt32(), key)))
                throw new InvalidGgufException($"{_file.Name} has '{key}' twice");
        }
        var entries = Enumerable.Range(0, tensors).Select(_ => ReadEntry(reader)).ToList();
        var begin = GgufWriter.Aligned(_file.Position);
        foreach (var entry in entries)
        {
            if (entry.Offset % GgufWriter.Alignment != 0 || entry.Offset > _file.Length || begin + entry.Offset + entry.SizeBytes > _file.Length)
                throw new InvalidGgufException($"{_file.Name} ends before tensor '{entry.Name}' does, or does not align it");
            if (!_tensors.TryAdd(entry.Name, entry with { Offset = begin + entry.Offset }))
                throw new InvalidGgufException($"{_file.Name} has tensor '{entry.Name}' twice");
        }
    }

    private GgufEntry ReadEntry(BinaryReader reader)
    {
        var name = ReadText(reader);
        var extents = reader.ReadUInt32();
        if (extents is 0 or > MostExtents)
            throw new InvalidGgufException($"{_file.Name}: tensor '{name}' has {extents} extents");
        var shape = Enumerable.Range(0, (int)extents).Select(_ => reader.ReadUInt64()).ToArray();
        var type = BlockType.Of(reader.ReadUInt32());
        var weights = 1UL;
        foreach (var extent in shape)
        {
            if (extent is 0 or > int.MaxValue || (weights *= extent) > 1UL << 44)
                throw new InvalidGgufException($"{_file.Name}: tensor '{name}' has the shape [{string.Join(", ", shape)}]");
        }
        if (!type.Fits((long)shape[0]))
        {
            throw new InvalidGgufException(
                $"{_file.Name}: tensor '{name}' has rows of {shape[0]}, which {type.Name} cannot cut into blocks of {type.BlockSize}");
        }
        var offset = reader.ReadUInt64();
        return offset <= long.MaxValue / 2
            ? new GgufEntry(name, [.. shape.Reverse().Select(e => (long)e)], type, (long)offset)
            : throw new InvalidGgufException($"{_file.Name}: tensor '{name}' begins at {offset}");
    }

    private object ReadValue(BinaryReader reader, GgufValueType type, string key) => type switch
    {
        GgufValueType.UInt8 => reader.ReadByte(),
        GgufValueType.Int8 => reader.ReadSByte(),
        GgufValueType.UInt16 => reader.ReadUInt16(),
        GgufValueType.Int16 => reader.ReadInt16(),
        GgufValueType.UInt32 => reader.ReadUInt32(),
        GgufValueType.Int32 => reader.ReadInt32(),
        GgufValueType.Float32 => reader.ReadSingle(),
        GgufValueType.Boolean => reader.ReadBoolean(),
        GgufValueType.String => ReadText(reader),
        GgufValueType.UInt64 => reader.ReadUInt64(),
        GgufValueType.Int64 => reader.ReadInt64(),
        GgufValueType.Float64 => reader.ReadDouble(),
        GgufValueType.Array => ReadList(reader, key),
        _ => throw new InvalidGgufException($"{_file.Name}: '{key}' has a value of type {(uint)type}"),
    };

    private List<object> ReadList(BinaryReader reader, string key)
    {
        var type = (GgufValueType)reader.ReadUInt32();
        if (type == GgufValueType.Array)
            throw new InvalidGgufException($"{_file.Name}: '{key}' is a list of lists");
        var count = Count(reader, $"entries of '{key}'");
        return [.. Enumerable.Range(0, count).Select(_ => ReadValue(reader, type, key))];
    }

    private int Count(BinaryReader reader, string what)
    {
        var count = reader.ReadUInt64();
        return count <= MostEntries
            ? (int)count : throw new InvalidGgufException($"{_file.Name} says that it has {count} {what}; at most {MostEntries} are read");
    }

    private string ReadText(BinaryReader reader)
    {
        var length = reader.ReadUInt64();
        if (length > LongestText || (long)length > _file.Length - _file.Position)
            throw new InvalidGgufException($"{_file.Name} holds a text of {length} bytes");
        return Encoding.UTF8.GetString(reader.ReadBytes((int)length));
    }
}
