using System.Net.Mime;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Contracts;
using Espalier.Orchestrator.Ledger;
using Microsoft.Net.Http.Headers;

namespace Espalier.Orchestrator.Api;

/// <summary>One output of a step: what it is, and its files.</summary>
/// <param name="Artifact">The artifact.</param>
/// <param name="Files">Its files, as an export would write them.</param>
public sealed record StepOutputView(ManifestRef Artifact, IReadOnlyList<OutputFileView> Files);

/// <summary>A file of an output.</summary>
/// <param name="Path">Path within the artifact.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Sha256">Digest of its bytes; absent for weight files, which are assembled from tensors while they are sent.</param>
public sealed record OutputFileView(string Path, long Size, string? Sha256);

/// <summary>The files of what steps made, whether it is registered or not, with range and ETag.</summary>
internal static class RunFilesApi
{
    /// <summary>The files of an output.</summary>
    public static async Task<IResult> ListAsync(
        Guid id, string step, string output, IRunReader runs, ArtifactStore artifacts, CancellationToken cancellationToken)
    {
        var (artifact, directory, problem) = await FindAsync(id, step, output, runs, artifacts, cancellationToken).ConfigureAwait(false);
        return directory is null
            ? problem!
            : TypedResults.Ok(new StepOutputView(artifact!, [.. directory.Files.Select(f => new OutputFileView(f.Path, f.SizeBytes, f.Sha256?.Hex))]));
    }

    /// <summary>One file of an output.</summary>
    public static async Task<IResult> DownloadAsync(
        Guid id, string step, string output, string path, IRunReader runs, ArtifactStore artifacts, HttpContext http, CancellationToken cancellationToken)
    {
        var (_, directory, problem) = await FindAsync(id, step, output, runs, artifacts, cancellationToken).ConfigureAwait(false);
        if (directory is null)
            return problem!;
        if (directory.Find(path) is not { } file)
            return TypedResults.Problem($"{step}.{output} has no file '{path}'.", statusCode: StatusCodes.Status404NotFound);
        // Whatever the file holds, no browser may take it for a page of ours.
        http.Response.Headers.XContentTypeOptions = "nosniff";
        http.Response.Headers.ContentSecurityPolicy = "default-src 'none'; sandbox";
        http.Response.Headers.ContentDisposition = new ContentDispositionHeaderValue("attachment") { FileNameStar = Path.GetFileName(file.Path) }.ToString();
        http.Response.Headers.CacheControl = "private, max-age=31536000, immutable";
        return TypedResults.Stream(
            new VirtualFileStream(artifacts.Blobs, file), MediaTypeNames.Application.Octet, entityTag: new EntityTagHeaderValue($"\"{file.Tag.Hex}\""),
            enableRangeProcessing: true);
    }

    private static async Task<(ManifestRef? Artifact, VirtualDirectory? Directory, IResult? Problem)> FindAsync(
        Guid id, string step, string output, IRunReader runs, ArtifactStore artifacts, CancellationToken cancellationToken)
    {
        var (_, view, problem) = await RunDetailsApi.FindStepAsync(id, step, runs, cancellationToken).ConfigureAwait(false);
        if (view is null)
            return (null, null, problem);
        if (!view.Outputs.TryGetValue(output, out var artifact))
        {
            var made = view.Outputs.Count == 0 ? "it made nothing" : $"it made {string.Join(", ", view.Outputs.Keys.Order(StringComparer.Ordinal))}";
            return (null, null, TypedResults.Problem($"Step '{step}' has no output '{output}'; {made}.", statusCode: StatusCodes.Status404NotFound));
        }
        var reader = await CheckpointReader.OpenAsync(artifacts, artifact.Root, cancellationToken).ConfigureAwait(false);
        return (artifact, VirtualDirectory.Of(reader.Manifest, reader.HasFile("config.json") ? reader.ReadFile("config.json") : null), null);
    }
}
