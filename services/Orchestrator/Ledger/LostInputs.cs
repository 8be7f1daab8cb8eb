using Espalier.Artifacts;
using Espalier.Artifacts.Blobs;
using Espalier.Contracts;
using Espalier.Orchestrator.StateMachine;

namespace Espalier.Orchestrator.Ledger;

/// <summary>A blob that an attempt could not read, and which steps of its run can make it again.</summary>
/// <param name="Blob">The blob.</param>
/// <param name="Makers">Steps that the step needs, and whose results are no longer whole.</param>
/// <param name="IsOfTheRun">Whether a step of the run made it: if its result is whole, it was made again meanwhile.</param>
internal sealed record InputLoss(Digest Blob, IReadOnlyList<string> Makers, bool IsOfTheRun);

/// <summary>Finds out which steps of a run made a blob that is damaged or gone.</summary>
internal sealed class LostInputs(StepLedger ledger, ArtifactStore artifacts)
{
    /// <summary>The loss that a failure tells of; null when it tells of none, or when the store does not say.</summary>
    public async Task<InputLoss?> FindAsync(StepFailed failed, CancellationToken cancellationToken)
    {
        if (failed.LostBlob is not { } blob)
            return null;
        var (makers, isOfTheRun) = (new List<string>(), false);
        try
        {
            foreach (var need in await ledger.NeedsOfAsync(failed.Step, cancellationToken).ConfigureAwait(false))
            {
                if (!need.Current.EndedWell())
                {
                    isOfTheRun = true; // it is being made again for another step
                    continue;
                }
                foreach (var output in need.ReadOutputs().Values)
                {
                    if (!await artifacts.IsIntactAsync(output.Root, cancellationToken).ConfigureAwait(false))
                        makers.Add(need.Name);
                    else
                        isOfTheRun |= await NamesAsync(output.Root, blob, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e) when (StoreFailure.Is(e))
        {
            return null;
        }
        return new InputLoss(blob, [.. makers.Distinct()], isOfTheRun || makers.Count > 0);
    }

    private async Task<bool> NamesAsync(Digest root, Digest blob, CancellationToken cancellationToken)
    {
        try
        {
            var manifest = await artifacts.ReadAsync(root, cancellationToken).ConfigureAwait(false);
            return root == blob || manifest.Files.Any(f => f.Blob == blob) || manifest.Tensors.Any(t => t.Blob == blob);
        }
        catch (Exception e) when (e is MissingBlobException or InvalidDataException)
        {
            return false; // lost since it was looked at; the next attempt tells
        }
    }
}
