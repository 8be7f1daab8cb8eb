using System.Text.Json;
using Espalier.Artifacts;
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

    /// <summary>Forgets the position, and deletes what only it needs; the step is done.</summary>
    public async Task ClearAsync(CancellationToken cancellationToken)
    {
        var position = await blobs.ReadRecordAsync(_record, cancellationToken).ConfigureAwait(false);
        await blobs.DeleteRecordAsync(_record, cancellationToken).ConfigureAwait(false);
        try
        {
            foreach (var artifact in Named(position))
                await OwnedArtifact.DeleteAsync(new ArtifactStore(blobs), artifact, stepKey, cancellationToken: cancellationToken).ConfigureAwait(false);
            await new StepRounds(new ArtifactStore(blobs), stepKey).ClearAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (StoreFailure.Is(e))
        {
            // The step is done, and nothing names them any more: the next collection deletes them.
        }
    }

    // Artifacts by reference anywhere in the text of a position; one that is no JSON names none.
    private static IEnumerable<Digest> Named(byte[]? position)
    {
        if (position is null)
            return [];
        try
        {
            using var document = JsonDocument.Parse(position);
            return [.. References(document.RootElement)];
        }
        catch (JsonException)
        {
            return [];
        }
    }

    private static IEnumerable<Digest> References(JsonElement value)
    {
        if (value.ValueKind != JsonValueKind.Object)
            yield break;
        foreach (var property in value.EnumerateObject())
        {
            if (property.NameEquals("root") && property.Value.ValueKind == JsonValueKind.String && Digest.TryParse(property.Value.GetString()!, out var root))
                yield return root;
            foreach (var within in References(property.Value))
                yield return within;
        }
    }
}
