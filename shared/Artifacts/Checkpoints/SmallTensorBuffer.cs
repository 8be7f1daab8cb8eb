using Microsoft.Win32.SafeHandles;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>
/// Bytes of small tensors that wait for their pack to be complete. A few stay in memory; a model with very many of them
/// spills into an unnamed temporary file. Safe for concurrent use.
/// </summary>
internal sealed class SmallTensorBuffer(int memoryBytes = 64 << 20) : IDisposable
{
    private readonly Lock _lock = new();
    private readonly Dictionary<string, byte[]> _inMemory = new(StringComparer.Ordinal);
    private readonly Dictionary<string, (long Offset, int Length)> _spilled = new(StringComparer.Ordinal);
    private SafeFileHandle? _spill;
    private long _kept, _spilledBytes;

    public void Add(string name, ReadOnlySpan<byte> bytes)
    {
        lock (_lock)
        {
            if (_kept + bytes.Length <= memoryBytes)
            {
                _inMemory.Add(name, bytes.ToArray());
                _kept += bytes.Length;
                return;
            }
            _spill ??= File.OpenHandle(Path.GetTempFileName(), FileMode.Open, FileAccess.ReadWrite, FileShare.None, FileOptions.DeleteOnClose);
            RandomAccess.Write(_spill, bytes, _spilledBytes);
            _spilled.Add(name, (_spilledBytes, bytes.Length));
            _spilledBytes += bytes.Length;
        }
    }

    public void CopyTo(string name, Span<byte> destination)
    {
        lock (_lock)
        {
            if (_inMemory.TryGetValue(name, out var bytes))
            {
                bytes.CopyTo(destination);
                return;
            }
            var (offset, length) = _spilled[name];
            for (var done = 0; done < length;)
            {
                var read = RandomAccess.Read(_spill!, destination[done..length], offset + done);
                done += read > 0 ? read : throw new EndOfStreamException("A temporary file was cut off while it was in use.");
            }
        }
    }

    public void Dispose()
    {
        lock (_lock)
            _spill?.Dispose();
    }
}
