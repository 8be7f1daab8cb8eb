using Espalier.Kernels;

namespace Espalier.Modeling.Fused;

/// <summary>
/// One piece of memory that arrays are laid out in. The layout runs twice: first to measure, then for real, so nothing is
/// allocated from one step to the next.
/// </summary>
internal sealed unsafe class Arena : IDisposable
{
    private const long Alignment = 64;

    private byte* _memory;
    private long _used;

    /// <summary>Bytes held.</summary>
    public long SizeBytes { get; private set; }

    /// <summary>Lays out afresh; what was laid out before is gone.</summary>
    public void Fill(Action layout)
    {
        Dispose();
        layout();
        SizeBytes = _used;
        _memory = (byte*)FusedKernels.Allocate(SizeBytes);
        _used = 0;
        layout();
    }

    /// <summary>The next <paramref name="count"/> elements; not cleared.</summary>
    public T* Take<T>(long count) where T : unmanaged
    {
        var start = _memory + _used;
        _used += (count * sizeof(T) + Alignment - 1) / Alignment * Alignment;
        return (T*)start;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        if (_memory != null)
            FusedKernels.Free(_memory);
        _memory = null;
        (_used, SizeBytes) = (0, 0);
    }
}
