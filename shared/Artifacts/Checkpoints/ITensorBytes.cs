namespace Espalier.Artifacts.Checkpoints;

/// <summary>Named tensors as raw bytes, from a safetensors directory or from a stored checkpoint; nothing is read before it is asked for.</summary>
public interface ITensorBytes
{
    /// <summary>Names in ordinal order.</summary>
    IReadOnlyList<string> Names { get; }

    /// <summary>Element type, shape and length of one tensor.</summary>
    /// <exception cref="KeyNotFoundException">No such tensor.</exception>
    TensorHeader Describe(string name);

    /// <summary>Copies one tensor's bytes (little-endian, C order) into <paramref name="destination"/>, which has exactly its length.</summary>
    void Read(string name, Span<byte> destination);
}

/// <summary>What a tensor is, without its bytes.</summary>
/// <param name="Name">Name as on disk.</param>
/// <param name="DType">safetensors name of the element type.</param>
/// <param name="Shape">Extents.</param>
/// <param name="SizeBytes">Number of bytes.</param>
public sealed record TensorHeader(string Name, string DType, IReadOnlyList<long> Shape, long SizeBytes);
