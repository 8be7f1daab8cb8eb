using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.TestKit.Services.Embedded;

/// <summary>A store that a test can make refuse or hang, for some names or for all.</summary>
public sealed class TroubledBlobStore(IBlobStore inner) : IBlobStore
{
    /// <summary>Called with <c>records/NAME</c>, <c>blobs/DIGEST</c> or <c>put</c> before every access; throws, or takes its time.</summary>
    public Func<string, CancellationToken, Task> Before { get; set; } = (_, _) => Task.CompletedTask;

    /// <summary>Called with the bytes of every blob that is put from memory.</summary>
    public Action<ReadOnlyMemory<byte>> BeforePut { get; set; } = _ => { };

    public async Task<bool> ExistsAsync(Digest blob, CancellationToken cancellationToken)
    {
        await Before($"blobs/{blob.Hex}", cancellationToken);
        return await inner.ExistsAsync(blob, cancellationToken);
    }

    public async Task<long?> FindLengthAsync(Digest blob, CancellationToken cancellationToken)
    {
        await Before($"blobs/{blob.Hex}", cancellationToken);
        return await inner.FindLengthAsync(blob, cancellationToken);
    }

    public async Task<BlobReceipt> PutAsync(Stream content, CancellationToken cancellationToken)
    {
        await Before("put", cancellationToken);
        return await inner.PutAsync(content, cancellationToken);
    }

    public async Task<BlobReceipt> PutAsync(ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await Before("put", cancellationToken);
        BeforePut(content);
        return await inner.PutAsync(content, cancellationToken);
    }

    public async Task<Stream> OpenReadAsync(Digest blob, long offset, long? length, CancellationToken cancellationToken)
    {
        await Before($"blobs/{blob.Hex}", cancellationToken);
        return await inner.OpenReadAsync(blob, offset, length, cancellationToken);
    }

    public void ReadExactly(Digest blob, long offset, Span<byte> destination) => inner.ReadExactly(blob, offset, destination);

    public async Task VerifyAsync(Digest blob, Action<long>? advance, CancellationToken cancellationToken)
    {
        await Before($"blobs/{blob.Hex}", cancellationToken);
        await inner.VerifyAsync(blob, advance, cancellationToken);
    }

    public IAsyncEnumerable<BlobReceipt> ListAsync(CancellationToken cancellationToken) => inner.ListAsync(cancellationToken);

    public async Task<bool> CreateRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await Before($"records/{name}", cancellationToken);
        return await inner.CreateRecordAsync(name, content, cancellationToken);
    }

    public async Task WriteRecordAsync(string name, ReadOnlyMemory<byte> content, CancellationToken cancellationToken)
    {
        await Before($"records/{name}", cancellationToken);
        await inner.WriteRecordAsync(name, content, cancellationToken);
    }

    public async Task<byte[]?> ReadRecordAsync(string name, CancellationToken cancellationToken)
    {
        await Before($"records/{name}", cancellationToken);
        return await inner.ReadRecordAsync(name, cancellationToken);
    }

    public async Task DeleteRecordAsync(string name, CancellationToken cancellationToken)
    {
        await Before($"records/{name}", cancellationToken);
        await inner.DeleteRecordAsync(name, cancellationToken);
    }

    public IAsyncEnumerable<string> ListRecordsAsync(string prefix, CancellationToken cancellationToken) => inner.ListRecordsAsync(prefix, cancellationToken);

    public async Task ProbeAsync(CancellationToken cancellationToken)
    {
        await Before("records/health/probe", cancellationToken);
        await inner.ProbeAsync(cancellationToken);
    }
}
