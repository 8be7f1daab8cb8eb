using System.Collections.Concurrent;
using Espalier.Contracts;

namespace Espalier.Artifacts.Blobs;

/// <summary>
/// Which blobs this process has compared with their digests. Each is read whole once before anything of it is given out,
/// however many readers come at the same time.
/// </summary>
internal sealed class CheckedBlobs
{
    private const int Most = 1 << 20; // some 100 MB; then checking starts over
    private readonly ConcurrentDictionary<Digest, byte> _known = new();
    private readonly ConcurrentDictionary<Digest, Lazy<bool>> _checks = new();
    private int _count;

    /// <summary>Whether a blob was checked.</summary>
    public bool Knows(Digest blob) => _known.ContainsKey(blob);

    /// <summary>Records that a blob was checked.</summary>
    public void Add(Digest blob)
    {
        if (!_known.TryAdd(blob, 0) || Interlocked.Increment(ref _count) <= Most)
            return;
        _known.Clear();
        Interlocked.Exchange(ref _count, 0);
    }

    /// <summary>The blob is gone or another file has its name: check it again.</summary>
    public void Forget(Digest blob)
    {
        if (_known.TryRemove(blob, out _))
            Interlocked.Decrement(ref _count);
    }

    /// <summary>Checks a blob unless it was checked before; a second caller waits for the first.</summary>
    /// <param name="blob">The blob.</param>
    /// <param name="check">Reads it, and throws when it is damaged or missing.</param>
    public void Ensure(Digest blob, Action<Digest> check)
    {
        if (Knows(blob))
            return;
        var running = _checks.GetOrAdd(blob, _ => new Lazy<bool>(() =>
        {
            check(blob);
            Add(blob);
            return true;
        }));
        try
        {
            _ = running.Value;
        }
        finally
        {
            _checks.TryRemove(KeyValuePair.Create(blob, running)); // a failure is not remembered
        }
    }

    /// <summary>As <see cref="Ensure"/>, without holding the caller's thread.</summary>
    public Task EnsureAsync(Digest blob, Action<Digest> check, CancellationToken cancellationToken) =>
        Knows(blob) ? Task.CompletedTask : Task.Run(() => Ensure(blob, check), cancellationToken).WaitAsync(cancellationToken);
}
