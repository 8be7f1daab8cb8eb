using Espalier.Contracts;
using Microsoft.Win32.SafeHandles;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>
/// One safetensors file, open for reading. Opening reads and checks the header only; a tensor's bytes are read when they
/// are asked for, by position. Positional reads instead of a memory map, because a map of a file that is truncated meanwhile
/// ends the process, while a short read is an ordinary error.
/// </summary>
public sealed class SafetensorsFile : ITensorBytes, IDisposable
{
    private readonly SafeFileHandle _handle;
    private readonly Dictionary<string, SafetensorsEntry> _entries;
    private readonly long _dataStart;

    private SafetensorsFile(string path, SafeFileHandle handle, long dataStart, List<SafetensorsEntry> entries, IReadOnlyDictionary<string, string> metadata)
    {
        FilePath = path;
        Metadata = metadata;
        _handle = handle;
        _dataStart = dataStart;
        _entries = entries.ToDictionary(e => e.Header.Name, StringComparer.Ordinal);
        Names = [.. entries.Select(e => e.Header.Name).Order(StringComparer.Ordinal)];
        SizeBytes = entries.Sum(e => e.Header.SizeBytes);
    }

    /// <summary>Where the file is.</summary>
    public string FilePath { get; }

    /// <summary>The header's free texts, such as <c>format</c>; empty when it has none.</summary>
    public IReadOnlyDictionary<string, string> Metadata { get; }

    /// <summary>Bytes of all tensors.</summary>
    public long SizeBytes { get; }

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; }

    /// <summary>Opens a file and checks its header against its length.</summary>
    /// <exception cref="UserInputException">No such file, or it breaks a rule of the format.</exception>
    public static SafetensorsFile Open(string path)
    {
        var info = new FileInfo(path);
        if (!info.Exists)
            throw new UserInputException($"{path}: no such file.");
        if (info.Length < SafetensorsHeader.PrefixBytes) // before opening: a pipe or device, which could block, has length 0
            throw new UserInputException(
                $"{path}: {info.Length} bytes are too few for a safetensors file, whose first {SafetensorsHeader.PrefixBytes} bytes say how "
                    + $"long its header is.");
        var handle = File.OpenHandle(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete);
        try
        {
            var fileLength = RandomAccess.GetLength(handle);
            Span<byte> prefix = stackalloc byte[SafetensorsHeader.PrefixBytes];
            ReadAt(handle, 0, prefix, path);
            var json = new byte[SafetensorsHeader.ReadLength(prefix, fileLength, path)];
            ReadAt(handle, SafetensorsHeader.PrefixBytes, json, path);
            var dataStart = SafetensorsHeader.PrefixBytes + json.LongLength;
            var entries = SafetensorsHeader.Parse(json, fileLength - dataStart, path, out var metadata);
            return new SafetensorsFile(path, handle, dataStart, entries, metadata);
        }
        catch
        {
            handle.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public TensorHeader Describe(string name) => Find(name).Header;

    /// <inheritdoc/>
    public void Read(string name, Span<byte> destination)
    {
        TensorBytesExtensions.CheckWhole(Find(name).Header, destination.Length);
        ReadRange(name, 0, destination);
    }

    /// <inheritdoc/>
    public void ReadRange(string name, long offset, Span<byte> destination)
    {
        var entry = Find(name);
        TensorBytesExtensions.CheckRange(entry.Header, offset, destination.Length);
        ReadAt(_handle, _dataStart + entry.Begin + offset, destination, FilePath);
    }

    /// <summary>Closes the file.</summary>
    public void Dispose() => _handle.Dispose();

    private SafetensorsEntry Find(string name) =>
        _entries.TryGetValue(name, out var entry) ? entry : throw new KeyNotFoundException($"{FilePath} has no tensor '{LogSafe.Name(name)}'.");

    private static void ReadAt(SafeFileHandle handle, long offset, Span<byte> destination, string path)
    {
        while (destination.Length > 0)
        {
            var read = RandomAccess.Read(handle, destination, offset);
            if (read == 0)
                throw new UserInputException($"{path}: the file ended while it was read; something changed it.");
            destination = destination[read..];
            offset += read;
        }
    }
}
