namespace Espalier.Artifacts.Checkpoints;

/// <summary>Tensors held in memory, for writing small files: optimizer moments, tests, tools. Not safe for concurrent writers.</summary>
public sealed class InMemoryTensors : ITensorBytes
{
    private readonly SortedDictionary<string, (TensorHeader Header, ReadOnlyMemory<byte> Bytes)> _tensors = new(StringComparer.Ordinal);

    /// <inheritdoc/>
    public IReadOnlyList<string> Names => [.. _tensors.Keys];

    /// <summary>Adds a tensor; the bytes are kept by reference.</summary>
    /// <exception cref="ArgumentException">The name is taken, or the bytes do not fit type and shape.</exception>
    public InMemoryTensors Add(string name, string dtype, IReadOnlyList<long> shape, ReadOnlyMemory<byte> bytes)
    {
        var header = new TensorHeader(name, dtype, [.. shape], TensorTypes.CountBytes(dtype, shape));
        TensorBytesExtensions.CheckWhole(header, bytes.Length);
        _tensors.Add(name, (header, bytes));
        return this;
    }

    /// <inheritdoc/>
    public TensorHeader Describe(string name) => _tensors[name].Header;

    /// <inheritdoc/>
    public void Read(string name, Span<byte> destination)
    {
        TensorBytesExtensions.CheckWhole(Describe(name), destination.Length);
        _tensors[name].Bytes.Span.CopyTo(destination);
    }

    /// <inheritdoc/>
    public void ReadRange(string name, long offset, Span<byte> destination)
    {
        TensorBytesExtensions.CheckRange(Describe(name), offset, destination.Length);
        _tensors[name].Bytes.Span.Slice((int)offset, destination.Length).CopyTo(destination);
    }
}
