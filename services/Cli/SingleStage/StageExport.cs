using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Stages;

namespace Espalier.Cli.SingleStage;

/// <summary>Writes what a stage made as a folder: a model as a Hugging Face directory, anything else as its files.</summary>
internal static class StageExport
{
    private const string ReportFile = "report.json";

    /// <summary>Writes the main output, whole or not at all, and returns its root.</summary>
    /// <param name="store">Where it is.</param>
    /// <param name="result">What the stage made.</param>
    /// <param name="output">Folder to make.</param>
    /// <param name="attempt">Names the temporary folder, so that what a killed command left there goes.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<Digest> WriteAsync(ArtifactStore store, StageResult result, string output, string attempt, CancellationToken cancellationToken)
    {
        if (result.Outputs.TryGetValue(OutputNames.Model, out var model))
        {
            await HuggingFaceExporter.ExportAsync(store, model, output, new ExportOptions { Attempt = attempt }, cancellationToken).ConfigureAwait(false);
            return model.Root;
        }
        var main = result.Outputs.TryGetValue(OutputNames.Report, out var report) ? report : result.Outputs.Values.Single();
        await WriteFilesAsync(store, main, output, attempt, cancellationToken).ConfigureAwait(false);
        return main.Root;
    }

    /// <summary>The report, or null when there is none.</summary>
    public static async Task<JsonElement?> ReadReportAsync(ArtifactStore store, StageResult result, CancellationToken cancellationToken)
    {
        if (!result.Outputs.TryGetValue(OutputNames.Report, out var report))
            return null;
        var reader = await CheckpointReader.OpenAsync(store, report, cancellationToken).ConfigureAwait(false);
        return reader.HasFile(ReportFile) ? JsonSerializer.Deserialize<JsonElement>(reader.ReadFile(ReportFile)) : null;
    }

    private static async Task WriteFilesAsync(ArtifactStore store, ManifestRef artifact, string output, string attempt, CancellationToken cancellationToken)
    {
        var reader = await CheckpointReader.OpenAsync(store, artifact, cancellationToken).ConfigureAwait(false);
        var temporary = Path.Combine(Path.GetDirectoryName(output)!, $".{Path.GetFileName(output)}.{attempt}.partial");
        try
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
            foreach (var file in reader.Manifest.Files)
            {
                var path = Path.Combine(temporary, file.Path); // the reader checked that it cannot lead out
                Directory.CreateDirectory(Path.GetDirectoryName(path)!);
                await File.WriteAllBytesAsync(path, reader.ReadFile(file.Path), cancellationToken).ConfigureAwait(false);
            }
            if (Directory.Exists(output))
                Directory.Delete(output); // empty: the request was checked for that
            Directory.Move(temporary, output);
        }
        finally
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
        }
    }
}
