using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Cli.Stores;

/// <summary>A writable store in front of one that is only read, so that what one command makes stays apart from what is kept.</summary>
/// <param name="front">Takes every write.</param>
/// <param name="back">Read where the front has nothing.</param>
internal sealed class LayeredBlobStore(IBlobStore front, IBlobStore back) : IBlobStore
{
    public async Task<bool> ExistsAsync(Digest blob, CancellationToken cancellationToken) =>
        await front.ExistsAsync(blob, cancellationToken).ConfigureAwait(false) || await back.ExistsAsync(blob, cancellationToken).ConfigureAwait(false);

    public async Task<long?> FindLengthAsync(Digest blob, CancellationToken cancellationToken) =>
        await front.FindLengthAsync(blob, cancellationToken).ConfigureAwait(false) ?? await back.FindLengthAsync(blob, cancellationToken).ConfigureAwait(false);

    public Task<BlobReceipt> PutAsync(Stream content, CancellationToken cancellationToken) => front.PutAsync(content, cancellationToken);

    public Task<BlobReceipt> PutAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken) => front.PutAsync(content, cancellationToken);

    public async Task<Stream> OpenReadAsync(Digest blob, long offset, long? length, CancellationToken cancellationToken) =>
        await (await HolderOfAsync(blob, cancellationToken).ConfigureAwait(false)).OpenReadAsync(blob, offset, length, cancellationToken).ConfigureAwait(false);

    public void ReadExactly(Digest blob, long offset, Span<byte> destination)
    {
        try
        {
            front.ReadExactly(blob, offset, destination);
        }
        catch (MissingBlobException)
        {
            back.ReadExactly(blob, offset, destination);
        }
    }

    public async Task VerifyAsync(Digest blob, Action<long>? advance, CancellationToken cancellationToken) =>
        await (await HolderOfAsync(blob, cancellationToken).ConfigureAwait(false)).VerifyAsync(blob, advance, cancellationToken).ConfigureAwait(false);

    public IAsyncEnumerable<BlobReceipt> ListAsync(CancellationToken cancellationToken) => front.ListAsync(cancellationToken);

    public Task<bool> CreateRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        front.CreateRecordAsync(name, content, cancellationToken);

    public Task WriteRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken) =>
        front.WriteRecordAsync(name, content, cancellationToken);

    public async Task<byte[]?> ReadRecordAsync(string name, CancellationToken cancellationToken) =>
        await front.ReadRecordAsync(name, cancellationToken).ConfigureAwait(false) ?? await back.ReadRecordAsync(name, cancellationToken).ConfigureAwait(false);

    public Task DeleteRecordAsync(string name, CancellationToken cancellationToken) => front.DeleteRecordAsync(name, cancellationToken);

    public IAsyncEnumerable<string> ListRecordsAsync(string prefix, CancellationToken cancellationToken) => front.ListRecordsAsync(prefix, cancellationToken);

    private async Task<IBlobStore> HolderOfAsync(Digest blob, CancellationToken cancellationToken) =>
        await front.ExistsAsync(blob, cancellationToken).ConfigureAwait(false) ? front : back;
}
