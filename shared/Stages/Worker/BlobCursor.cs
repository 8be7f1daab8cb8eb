using Espalier.Artifacts.Blobs;
using Espalier.Contracts;

namespace Espalier.Stages.Worker;

/// <summary>The cursor of a step as a record of the blob store, under the step key: any worker can go on, in any run.</summary>
public sealed class BlobCursor(IBlobStore blobs, Digest stepKey, Func<bool>? mayWrite = null) : IStageCursor
{
    private readonly string _record = $"cursors/{stepKey.Hex}";

    /// <inheritdoc/>
    public Task<byte[]?> LoadAsync(CancellationToken cancellationToken) => blobs.ReadRecordAsync(_record, cancellationToken);

    /// <inheritdoc/>
    public Task SaveAsync(ReadOnlyMemory<byte> position, CancellationToken cancellationToken) =>
        mayWrite is null || mayWrite()
            ? blobs.WriteRecordAsync(_record, position, cancellationToken)
            : throw new OperationCanceledException("The lease is over: another attempt owns the cursor.");

    /// <summary>Forgets the position; the step is done.</summary>
    public Task ClearAsync(CancellationToken cancellationToken) => blobs.DeleteRecordAsync(_record, cancellationToken);
}
