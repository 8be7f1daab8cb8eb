using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.FaultInjection;

namespace Espalier.Stages.Worker;

/// <summary>The cursor of a step as a record of the blob store, under the step key: any worker can go on, in any run.</summary>
public sealed class BlobCursor(IBlobStore blobs, Digest stepKey, Func<bool>? mayWrite = null) : IStageCursor
{
    private readonly string _record = $"cursors/{stepKey.Hex}";

    /// <inheritdoc/>
    public Task<byte[]?> LoadAsync(CancellationToken cancellationToken) => blobs.ReadRecordAsync(_record, cancellationToken);

    /// <inheritdoc/>
    public async Task SaveAsync(ReadOnlyMemory<byte> position, CancellationToken cancellationToken)
    {
        if (mayWrite is not null && !mayWrite())
            throw new OperationCanceledException("The lease is over: another attempt owns the cursor.");
        Faults.Reach(FaultPoints.CursorSave);
        await blobs.WriteRecordAsync(_record, position, cancellationToken).ConfigureAwait(false);
        Faults.Reach(FaultPoints.CursorSaved);
    }

    /// <summary>Forgets the position; the step is done.</summary>
    public Task ClearAsync(CancellationToken cancellationToken) => blobs.DeleteRecordAsync(_record, cancellationToken);
}
