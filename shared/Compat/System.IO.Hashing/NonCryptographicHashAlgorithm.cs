namespace System.IO.Hashing;

/// <summary>
/// The one type of System.IO.Hashing that Azure.Storage.Common binds to (as base of its own CRC-64).
/// Stands in where a package feed lacks that package; <c>-p:UseSystemIoHashingPackage=true</c> drops this project
/// and resolves the real package instead.
/// </summary>
public abstract class NonCryptographicHashAlgorithm
{
    /// <param name="hashLengthInBytes">Length of the final hash in bytes, at least 1.</param>
    protected NonCryptographicHashAlgorithm(int hashLengthInBytes)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(hashLengthInBytes, 1);
        HashLengthInBytes = hashLengthInBytes;
    }

    /// <summary>Length of the hash in bytes.</summary>
    public int HashLengthInBytes { get; }

    /// <summary>Adds bytes to the running hash.</summary>
    public abstract void Append(ReadOnlySpan<byte> source);

    /// <summary>Starts over.</summary>
    public abstract void Reset();

    /// <summary>Writes the hash of what was appended so far, without changing the state.</summary>
    protected abstract void GetCurrentHashCore(Span<byte> destination);

    /// <summary>Adds bytes to the running hash.</summary>
    public void Append(byte[] source)
    {
        ArgumentNullException.ThrowIfNull(source);
        Append(source.AsSpan());
    }

    /// <summary>Adds the rest of a stream to the running hash.</summary>
    public void Append(Stream stream)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var buffer = new byte[64 * 1024];
        for (int read; (read = stream.Read(buffer, 0, buffer.Length)) > 0;)
            Append(buffer.AsSpan(0, read));
    }

    /// <summary>Adds the rest of a stream to the running hash.</summary>
    public async Task AppendAsync(Stream stream, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(stream);
        var buffer = new byte[64 * 1024];
        for (int read; (read = await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
            Append(buffer.AsSpan(0, read));
    }

    /// <summary>Returns the hash of what was appended so far.</summary>
    public byte[] GetCurrentHash()
    {
        var hash = new byte[HashLengthInBytes];
        GetCurrentHashCore(hash);
        return hash;
    }

    /// <summary>Writes the hash of what was appended so far and returns its length.</summary>
    /// <exception cref="ArgumentException">The destination is shorter than the hash.</exception>
    public int GetCurrentHash(Span<byte> destination)
    {
        if (destination.Length < HashLengthInBytes)
            throw new ArgumentException($"The destination holds {destination.Length} bytes; the hash needs {HashLengthInBytes}.", nameof(destination));
        GetCurrentHashCore(destination[..HashLengthInBytes]);
        return HashLengthInBytes;
    }
}
