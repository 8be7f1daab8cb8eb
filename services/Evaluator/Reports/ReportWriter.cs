using System.Text.Json;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Stages;

namespace Espalier.Evaluator.Reports;

/// <summary>Publishes a report as an artifact.</summary>
internal static class ReportWriter
{
    private const string ReportFile = "report.json";
    private const string LogitsFile = "logits.safetensors";

    /// <summary>Stores <c>report.json</c> and, when asked for, <c>logits.safetensors</c> (in a folder per step when there are several models).</summary>
    public static async Task<ManifestRef> WriteAsync(StageContext context, EvaluationReport report, IReadOnlyList<ModelResult> results, CancellationToken cancellationToken)
    {
        var files = new List<FileEntry> { await StoreAsync(context, ReportFile, JsonSerializer.SerializeToUtf8Bytes(report, WireJson.Indented), cancellationToken).ConfigureAwait(false) };
        foreach (var result in results.Where(r => r.Logits is not null))
        {
            var path = results.Count == 1 ? LogitsFile : $"{result.Model.Step}/{LogitsFile}";
            files.Add(await StoreAsync(context, path, result.Logits, cancellationToken).ConfigureAwait(false));
        }
        var manifest = new Manifest
        {
            Kind = ArtifactKind.Report,
            Files = [.. files.OrderBy(file => file.Path, StringComparer.Ordinal)],
            Parents =
            [
                .. results.Select(result => new Parent(result.Model.Root, "evaluated", context.Step.Key)),
                .. context.Inputs.Where(i => i.Artifact.Kind == ArtifactKind.Dataset).Select(i => new Parent(i.Artifact.Root, "data", context.Step.Key)),
            ],
        };
        return await context.Artifacts.PublishAsync(manifest, cancellationToken).ConfigureAwait(false);
    }

    private static async Task<FileEntry> StoreAsync(StageContext context, string path, byte[]? bytes, CancellationToken cancellationToken)
    {
        var receipt = await context.Artifacts.Blobs.PutAsync(bytes, cancellationToken).ConfigureAwait(false);
        return new FileEntry(path, receipt.Digest, receipt.SizeBytes);
    }
}
