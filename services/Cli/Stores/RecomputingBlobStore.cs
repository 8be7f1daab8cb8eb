using System.Collections.Concurrent;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Cli.Stores;

/// <summary>
/// A store in which no step has a result or a saved position until this process makes one, so that <c>--fresh</c> computes
/// everything again. Nothing is deleted, and equal bytes are still stored once.
/// </summary>
internal sealed class RecomputingBlobStore(IBlobStore inner) : IBlobStore
{
    private static readonly string[] Hidden = ["steps/", "cursors/"];
    private readonly ConcurrentDictionary<string, bool> _made = new();

    public Task<bool> ExistsAsync(Digest blob, CancellationToken cancellationToken) => inner.ExistsAsync(blob, cancellationToken);

    public Task<long?> FindLengthAsync(Digest blob, CancellationToken cancellationToken) => inner.FindLengthAsync(blob, cancellationToken);

    public Task<BlobReceipt> PutAsync(Stream content, CancellationToken cancellationToken) => inner.PutAsync(content, cancellationToken);

    public Task<BlobReceipt> PutAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => inner.PutAsync(content, cancellationToken);

    public Task<Stream> OpenReadAsync(Digest blob, long offset, long? length, CancellationToken cancellationToken) =>
        inner.OpenReadAsync(blob, offset, length, cancellationToken);

    public void ReadExactly(Digest blob, long offset, Span<byte> destination) => inner.ReadExactly(blob, offset, destination);

    public Task VerifyAsync(Digest blob, Action<long>? advance, CancellationToken cancellationToken) => inner.VerifyAsync(blob, advance, cancellationToken);

    public IAsyncEnumerable<BlobReceipt> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

    public async Task<bool> CreateRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        if (!IsHidden(name))
            return await inner.CreateRecordAsync(name, content, cancellationToken).ConfigureAwait(false);
        await inner.WriteRecordAsync(name, content, cancellationToken).ConfigureAwait(false);
        return _made.TryAdd(name, true);
    }

    public async Task WriteRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await inner.WriteRecordAsync(name, content, cancellationToken).ConfigureAwait(false);
        _made[name] = true;
    }

    public async Task<byte[]?> ReadRecordAsync(string name, CancellationToken cancellationToken) =>
        IsHidden(name) ? null : await inner.ReadRecordAsync(name, cancellationToken).ConfigureAwait(false);

    public Task DeleteRecordAsync(string name, CancellationToken cancellationToken) => inner.DeleteRecordAsync(name, cancellationToken);

    public IAsyncEnumerable<string> ListRecordsAsync(string prefix, CancellationToken cancellationToken) =>
        inner.ListRecordsAsync(prefix, cancellationToken).Where(name => !IsHidden(name));

    private bool IsHidden(string name) => !_made.ContainsKey(name) && Hidden.Any(h => name.StartsWith(h, StringComparison.Ordinal));
}
