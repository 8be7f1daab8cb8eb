using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Stages;

namespace Espalier.Evaluator.Passes;

/// <summary>Keeps how far a pass is; what a newer position replaces is deleted.</summary>
/// <param name="context">The step.</param>
/// <param name="saved">The last position; null for none.</param>
/// <param name="pass">Which pass.</param>
/// <param name="save">Writes a position into the cursor.</param>
internal sealed class UnfinishedPass(
    StageContext context, UnfinishedPosition? saved, string pass, Func<UnfinishedPosition?, CancellationToken, Task> save)
{
    private UnfinishedPosition? _saved = saved;

    /// <summary>Opens the last position; null when there is none.</summary>
    /// <exception cref="MissingBlobException">The store no longer has it.</exception>
    public async Task<CheckpointReader?> OpenAsync(CancellationToken cancellationToken)
    {
        if (_saved is null)
            return null;
        var reader = await CheckpointReader.OpenAsync(context.Artifacts, _saved.State, cancellationToken).ConfigureAwait(false);
        context.Progress.Log($"Goes on in the middle of a pass: {pass}.");
        return reader;
    }

    /// <summary>Says why a position is of no use.</summary>
    public void Log(string reason) => context.Progress.Log($"The saved position of a pass cannot be read; it begins again: {pass}. {reason}");

    /// <summary>Saves a position that <paramref name="write"/> makes, in place of the last one.</summary>
    public async Task SaveAsync(Func<CheckpointWriter, Task> write, CancellationToken cancellationToken)
    {
        var number = (_saved?.Number ?? 0) + 1;
        using var writer = new CheckpointWriter(
            context.Artifacts, ArtifactKind.TrainerState, new OwnedBlobs(context.Artifacts.Blobs, context.Step.Key, number));
        writer.SetProperties(OwnedArtifact.PropertiesOf(context.Step.Key));
        await write(writer).ConfigureAwait(false);
        var position = new UnfinishedPosition(pass, number, await writer.CommitAsync(cancellationToken).ConfigureAwait(false));
        await save(position, cancellationToken).ConfigureAwait(false);
        var replaced = _saved;
        _saved = position;
        await DeleteAsync(replaced, position, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Deletes the last position: the pass is finished.</summary>
    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        var replaced = _saved;
        _saved = null;
        await DeleteAsync(replaced, null, cancellationToken).ConfigureAwait(false);
    }

    private async Task DeleteAsync(UnfinishedPosition? replaced, UnfinishedPosition? kept, CancellationToken cancellationToken)
    {
        if (replaced is null)
            return;
        try
        {
            await OwnedArtifact.DeleteAsync(context.Artifacts, replaced.State.Root, context.Step.Key, kept?.State.Root, cancellationToken)
                .ConfigureAwait(false);
        }
        catch (Exception e) when (StoreFailure.Is(e))
        {
            context.Progress.Log($"A position that was replaced stays in the store until its next collection (espalier gc). {StoreFailure.Describe(e)}");
        }
    }
}
