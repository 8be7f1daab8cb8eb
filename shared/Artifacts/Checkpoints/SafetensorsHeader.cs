using System.Buffers.Binary;
using System.Text.Json;
using System.Text.Unicode;
using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>One tensor of a safetensors file: what it is, and where its bytes start within the data buffer.</summary>
internal readonly record struct SafetensorsEntry(TensorHeader Header, long Begin);

/// <summary>
/// Reads the JSON header of a safetensors file from an untrusted source: sizes are bounded before memory is
/// taken, arithmetic is checked, and the tensors must cover the data buffer exactly, without holes or overlaps.
/// </summary>
internal static class SafetensorsHeader
{
    public const int PrefixBytes = 8;
    public const long MaxBytes = 100_000_000;
    public const int MaxTensors = 500_000;
    public const int MaxNameLength = 1024;
    public const string MetadataKey = "__metadata__";

    /// <summary>The header's length from the file's first eight bytes, checked against the file.</summary>
    public static int ReadLength(ReadOnlySpan<byte> prefix, long fileLength, string file)
    {
        if (fileLength < PrefixBytes)
            throw new UserInputException(
                $"{file}: {fileLength} bytes are too few for a safetensors file, whose first {PrefixBytes} bytes say how long its header is.");
        var length = BinaryPrimitives.ReadUInt64LittleEndian(prefix);
        if (length > MaxBytes)
            throw new UserInputException(
                $"{file}: the header says it is {length} bytes long; at most {MaxBytes} are allowed. The file is damaged, or no safetensors file.");
        if ((long)length > fileLength - PrefixBytes)
            throw new UserInputException(
                $"{file}: the header says it is {length} bytes long, but only {fileLength - PrefixBytes} bytes follow. The file is truncated; fetch it again.");
        return (int)length;
    }

    /// <summary>Parses and checks a header. Entries come in the order of their bytes.</summary>
    /// <param name="json">The header's bytes.</param>
    /// <param name="dataLength">Bytes of the file after the header.</param>
    /// <param name="file">Name for messages.</param>
    /// <param name="metadata">The file's metadata, empty when it has none.</param>
    /// <param name="maxTensors">How many tensors one file may have.</param>
    public static List<SafetensorsEntry> Parse(
        ReadOnlySpan<byte> json, long dataLength, string file, out Dictionary<string, string> metadata, int maxTensors = MaxTensors)
    {
        if (!Utf8.IsValid(json))
            throw new UserInputException($"{file}: the header is not valid UTF-8.");
        var entries = new List<SafetensorsEntry>();
        try
        {
            ReadObject(json, file, maxTensors, entries, out metadata);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // The reader reports unpaired surrogates as InvalidOperationException.
            throw new UserInputException($"{file}: the header is not valid JSON: {e.Message}", e);
        }
        CheckCoverage(entries, dataLength, file);
        return entries;
    }

    private static void ReadObject(
        ReadOnlySpan<byte> json, string file, int maxTensors, List<SafetensorsEntry> entries, out Dictionary<string, string> metadata)
    {
        metadata = new(StringComparer.Ordinal);
        var names = new HashSet<string>(StringComparer.Ordinal);
        var reader = new Utf8JsonReader(json, new JsonReaderOptions { MaxDepth = 16 });
        if (!reader.Read() || reader.TokenType != JsonTokenType.StartObject)
            throw new UserInputException($"{file}: the header is not a JSON object.");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            if (reader.ValueSpan.Length > MaxNameLength)
                throw new UserInputException($"{file}: a tensor name of {reader.ValueSpan.Length} bytes; at most {MaxNameLength} are allowed.");
            var name = reader.GetString()!;
            if (!names.Add(name))
                throw new UserInputException($"{file}: the header names '{LogSafe.Name(name)}' twice.");
            if (name == MetadataKey)
            {
                ReadMetadata(ref reader, file, metadata);
                continue;
            }
            if (name.Length == 0 || HasControl(name))
                throw new UserInputException($"{file}: '{LogSafe.Name(name)}' is not a usable tensor name: it is empty or has control characters.");
            if (entries.Count == maxTensors)
                throw new UserInputException($"{file}: more than {maxTensors} tensors in one file.");
            entries.Add(ReadTensor(ref reader, new Place(file, name)));
        }
        reader.Read(); // anything but white space after the object throws here
    }

    private static void ReadMetadata(ref Utf8JsonReader reader, string file, Dictionary<string, string> metadata)
    {
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new UserInputException($"{file}: {MetadataKey} must be an object of texts.");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString()!;
            reader.Read();
            if (reader.TokenType != JsonTokenType.String)
                throw new UserInputException($"{file}: {MetadataKey} must be an object of texts, but '{LogSafe.Name(key)}' is not a text.");
            if (!metadata.TryAdd(key, reader.GetString()!))
                throw new UserInputException($"{file}: {MetadataKey} names '{LogSafe.Name(key)}' twice.");
        }
    }

    private static SafetensorsEntry ReadTensor(ref Utf8JsonReader reader, Place place)
    {
        string? dtype = null;
        List<long>? shape = null, offsets = null;
        reader.Read();
        if (reader.TokenType != JsonTokenType.StartObject)
            throw new UserInputException($"{place} is not described by an object with dtype, shape and data_offsets.");
        while (reader.Read() && reader.TokenType == JsonTokenType.PropertyName)
        {
            var key = reader.GetString();
            if (key is "dtype" && dtype is not null || key is "shape" && shape is not null || key is "data_offsets" && offsets is not null)
                throw new UserInputException($"{place} has '{key}' twice.");
            reader.Read();
            switch (key)
            {
                case "dtype":
                    dtype = reader.TokenType == JsonTokenType.String ? reader.GetString()! : throw new UserInputException($"{place}: dtype is not a text.");
                    break;
                case "shape":
                    shape = ReadIntegers(ref reader, TensorTypes.MaxRank, "shape", place);
                    break;
                case "data_offsets":
                    offsets = ReadIntegers(ref reader, 2, "data_offsets", place);
                    break;
                default:
                    reader.Skip();
                    break;
            }
        }
        if (dtype is null || shape is null || offsets is null)
            throw new UserInputException($"{place} lacks {(dtype is null ? "dtype" : shape is null ? "shape" : "data_offsets")}.");
        if (offsets.Count != 2)
            throw new UserInputException($"{place}: data_offsets must be two numbers.");
        if (offsets[1] < offsets[0])
            throw new UserInputException($"{place}: data_offsets [{offsets[0]}, {offsets[1]}] end before they begin.");
        if (!TensorTypes.TryCountBytes(dtype, shape, out var bytes, out var problem))
            throw new UserInputException($"{place}: {LogSafe.Name(problem)}.");
        if (bytes != offsets[1] - offsets[0])
            throw new UserInputException(
                $"{place}: {dtype} of shape [{string.Join(", ", shape)}] takes {bytes} bytes, but data_offsets [{offsets[0]}, {offsets[1]}] "
                    + $"span {offsets[1] - offsets[0]}.");
        return new SafetensorsEntry(new TensorHeader(place.Tensor, dtype, shape, bytes), offsets[0]);
    }

    private static bool HasControl(string name)
    {
        foreach (var c in name)
            if (char.IsControl(c))
                return true;
        return false;
    }

    private static List<long> ReadIntegers(ref Utf8JsonReader reader, int most, string key, Place place)
    {
        var values = new List<long>(Math.Min(most, 4));
        if (reader.TokenType != JsonTokenType.StartArray)
            throw new UserInputException($"{place}: {key} is not a list of numbers.");
        while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
        {
            // Fractions, exponents and signs are refused even when the value would be whole.
            if (reader.TokenType != JsonTokenType.Number || !reader.TryGetUInt64(out var value) || value > long.MaxValue)
                throw new UserInputException($"{place}: {key} must hold whole numbers from 0 to {long.MaxValue}.");
            if (values.Count == most)
                throw new UserInputException($"{place}: {key} has more than {most} numbers.");
            values.Add((long)value);
        }
        return values;
    }

    private static void CheckCoverage(List<SafetensorsEntry> entries, long dataLength, string file)
    {
        entries.Sort((a, b) => a.Begin != b.Begin ? a.Begin.CompareTo(b.Begin)
            : a.Header.SizeBytes != b.Header.SizeBytes ? a.Header.SizeBytes.CompareTo(b.Header.SizeBytes)
            : string.CompareOrdinal(a.Header.Name, b.Header.Name));
        long end = 0;
        foreach (var (header, begin) in entries)
        {
            if (begin != end)
                throw new UserInputException(
                    $"{file}: tensor '{LogSafe.Name(header.Name)}' starts at byte {begin} of the data, but the tensor before it ends at "
                        + $"{end}: {(begin > end ? "a hole" : "an overlap")}.");
            end = begin + header.SizeBytes; // both at most long.MaxValue / 2 in a file that passes the check below
            if (end < 0 || end > dataLength)
                throw new UserInputException(
                    $"{file}: tensor '{LogSafe.Name(header.Name)}' ends at byte {(ulong)end} of the data, but the file has only "
                        + $"{dataLength}. The file is truncated; fetch it again.");
        }
        if (end != dataLength)
            throw new UserInputException($"{file}: {dataLength - end} bytes follow the last tensor, which no tensor owns.");
    }

    /// <summary>Where a problem is, put into words only when there is one.</summary>
    private readonly record struct Place(string File, string Tensor)
    {
        public override string ToString() => $"{File}: tensor '{LogSafe.Name(Tensor)}'";
    }
}
