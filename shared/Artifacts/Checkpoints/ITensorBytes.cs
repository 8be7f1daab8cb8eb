namespace Espalier.Artifacts.Checkpoints;

/// <summary>Named tensors as raw bytes, from a safetensors directory or from a stored checkpoint; nothing is read before it is asked for.</summary>
/// <remarks>Implementations are safe for concurrent readers.</remarks>
public interface ITensorBytes
{
    /// <summary>Names in ordinal order.</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>Element type, shape and length of one tensor.</summary>
    /// <exception cref="KeyNotFoundException">No such tensor.</exception>
    TensorHeader Describe(string name);

    /// <summary>What the file that a tensor comes from calls it, for messages; a name may be asked for that is not there.</summary>
    string NameInFile(string name) => name;

    /// <summary>Copies one tensor's bytes (little-endian, C order) into <paramref name="destination"/>, which has exactly its length.</summary>
    void Read(string name, Span<byte> destination);

    /// <summary>Copies part of one tensor's bytes, from byte <paramref name="offset"/> of the tensor on, so that memory need not hold it whole.</summary>
    void ReadRange(string name, long offset, Span<byte> destination);
}

/// <summary>What a tensor is, without its bytes.</summary>
/// <param name="Name">Name as on disk.</param>
/// <param name="DType">safetensors name of the element type.</param>
/// <param name="Shape">Extents.</param>
/// <param name="SizeBytes">Number of bytes.</param>
public sealed record TensorHeader(string Name, string DType, IReadOnlyList<long> Shape, long SizeBytes);

/// <summary>Conveniences over <see cref="ITensorBytes"/>.</summary>
public static class TensorBytesExtensions
{
    /// <summary>Reads one tensor whole.</summary>
    public static byte[] ReadAll(this ITensorBytes source, string name)
    {
        var bytes = GC.AllocateUninitializedArray<byte>(checked((int)source.Describe(name).SizeBytes));
        source.Read(name, bytes);
        return bytes;
    }

    internal static void CheckRange(TensorHeader tensor, long offset, int length)
    {
        if (offset < 0 || offset > tensor.SizeBytes - length)
            throw new ArgumentOutOfRangeException(
                nameof(offset), $"Bytes {offset} to {offset + length} lie outside '{tensor.Name}', which has {tensor.SizeBytes}.");
    }

    internal static void CheckWhole(TensorHeader tensor, long length)
    {
        if (length != tensor.SizeBytes)
            throw new ArgumentException($"'{tensor.Name}' has {tensor.SizeBytes} bytes, not {length}.");
    }
}
