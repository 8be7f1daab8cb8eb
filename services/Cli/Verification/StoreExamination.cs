using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Cli.Hosting;
using Espalier.Contracts;
using Espalier.Registry;
using Espalier.Stages.Worker;

namespace Espalier.Cli.Verification;

/// <summary>What <c>espalier fsck</c> found.</summary>
/// <param name="Ok">Whether nothing is wrong.</param>
/// <param name="Store">The store, without keys and signatures.</param>
/// <param name="Blobs">Blobs that were read.</param>
/// <param name="Bytes">Their bytes.</param>
/// <param name="Manifests">Manifests that were read.</param>
/// <param name="Steps">Results of steps that were read.</param>
/// <param name="Faults">Blobs that are damaged or missing.</param>
/// <param name="Records">Records that cannot be read.</param>
/// <param name="Recompute">Steps whose results are no longer whole.</param>
/// <param name="Models">Versions that are concerned.</param>
internal sealed record FsckOutcome(
    bool Ok, string Store, int Blobs, long Bytes, int Manifests, int Steps, IReadOnlyList<StoreFault> Faults, IReadOnlyList<RecordFault> Records,
    IReadOnlyList<StepToRecompute> Recompute, IReadOnlyList<ModelConcerned> Models);

/// <summary>A step that has to be done again.</summary>
/// <param name="Key">Its key.</param>
/// <param name="Step">Its name in the run that did it last; null when its receipt is gone.</param>
/// <param name="Stage">Its kind.</param>
/// <param name="Run">That run.</param>
/// <param name="Remedy">What to do.</param>
internal sealed record StepToRecompute(Digest Key, string? Step, string? Stage, Guid? Run, string Remedy);

/// <summary>A version whose bytes, or whose ancestors' bytes, are no longer whole.</summary>
/// <param name="Model">Model.</param>
/// <param name="Version">Version.</param>
/// <param name="Root">Its root.</param>
/// <param name="Concern"><c>damaged</c>: bytes of its own; <c>ancestor</c>: bytes of something that it was made from.</param>
/// <param name="Remedy">What to do.</param>
internal sealed record ModelConcerned(string Model, int Version, Digest Root, string Concern, string Remedy);

/// <summary>Scrubs a store and says in the words of runs and models what is concerned.</summary>
internal sealed class StoreExamination(ArtifactStore store, ModelRegistry models)
{
    private const int MostVersions = 100_000;

    public async Task<FsckOutcome> RunAsync(IProgress<(long Done, long Total)> progress, CancellationToken cancellationToken)
    {
        var versions = await models.ListAsync(null, MostVersions, cancellationToken).ConfigureAwait(false);
        var report = await new StoreScrub(store).RunAsync(versions.Select(v => v.Root), progress, cancellationToken).ConfigureAwait(false);
        var recompute = new List<StepToRecompute>();
        foreach (var key in report.Recompute.Concat(report.Records.Select(r => r.StepKey).OfType<Digest>()).Distinct())
            recompute.Add(await DescribeAsync(key, cancellationToken).ConfigureAwait(false));
        return new FsckOutcome(
            report.Ok, StoreInUse.Describe(store), report.Blobs, report.Bytes, report.Manifests, report.Steps, report.Faults, report.Records, recompute,
            [.. versions.Where(v => report.Faulty.Contains(v.Root) || report.Descendants.Contains(v.Root)).Select(v => Describe(v, report))]);
    }

    private async Task<StepToRecompute> DescribeAsync(Digest key, CancellationToken cancellationToken)
    {
        StepReceipt? receipt;
        try
        {
            receipt = await StepReceipt.FindAsync(store, key, cancellationToken).ConfigureAwait(false);
        }
        catch (JsonException)
        {
            receipt = null; // of another version
        }
        return receipt is null
            ? new StepToRecompute(key, null, null, null, $"step {key.Short}: run its pipeline again")
            : new StepToRecompute(
                key, receipt.Step, receipt.Kind, receipt.RunId,
                $"step '{receipt.Step}' ({receipt.Kind}) of run {receipt.RunId:N}: run its pipeline again, which computes it anew");
    }

    private static ModelConcerned Describe(ModelVersion version, ScrubReport report)
    {
        var isOwn = report.Faulty.Contains(version.Root);
        var remedy = !isOwn
            ? "was made from what is damaged now, and may have been made from wrong bytes: espalier verify says which ancestor"
            : version.Step.Length == 0
                ? $"was imported ({version.Origin}): import it again"
                : $"was made by step '{version.Step}' of run {version.RunId:N}: run its pipeline again";
        return new ModelConcerned(version.Model, version.Version, version.Root, isOwn ? "damaged" : "ancestor", remedy);
    }
}
