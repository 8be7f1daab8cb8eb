using System.Text.Json;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Evaluator.Passes;
using Espalier.Stages;

namespace Espalier.Evaluator.Reports;

/// <summary>Publishes a report as an artifact.</summary>
internal static class ReportWriter
{
    private const string ReportFile = "report.json";

    /// <summary>Stores <c>report.json</c> and the files of the tasks, in a folder per step when there are several models.</summary>
    public static async Task<ManifestRef> WriteAsync(
        StageContext context, EvaluationReport report, IReadOnlyList<ModelUnderTest> models,
        IReadOnlyList<NamedReport> reports, CancellationToken cancellationToken)
    {
        var files = new List<FileEntry> { await StoreAsync(
            context, ReportFile, JsonSerializer.SerializeToUtf8Bytes(report, WireJson.Indented), cancellationToken).ConfigureAwait(false) };
        for (var model = 0; model < models.Count; model++)
        {
            foreach (var (name, bytes) in reports.SelectMany(r => r.Sections[model]?.Files ?? new Dictionary<string, byte[]>()))
                files.Add(await StoreAsync(context, models.Count == 1 ? name : $"{models[model].Step}/{name}", bytes, cancellationToken).ConfigureAwait(false));
        }
        var manifest = new Manifest
        {
            Kind = ArtifactKind.Report,
            Files = [.. files.OrderBy(file => file.Path, StringComparer.Ordinal)],
            Parents =
            [
                .. models.Select(model => new Parent(model.Root, "evaluated", context.Step.Key)),
                .. context.Inputs.Where(i => i.Artifact.Kind == ArtifactKind.Dataset).Select(i => new Parent(i.Artifact.Root, "data", context.Step.Key)),
            ],
        };
        return await context.Artifacts.PublishAsync(manifest, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<FileEntry> StoreAsync(StageContext context, string path, byte[] bytes, CancellationToken cancellationToken)
    {
        var receipt = await context.Artifacts.Blobs.PutAsync(bytes, cancellationToken).ConfigureAwait(false);
        return new FileEntry(path, receipt.Digest, receipt.SizeBytes);
    }
}
