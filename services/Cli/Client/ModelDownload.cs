using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Registry.Api;
using Espalier.Registry.Signing;

namespace Espalier.Cli.Client;

/// <summary>
/// Fetches a version as a Hugging Face directory: files in parallel, each resumed where it broke off. Every byte is checked
/// against the manifest, the manifest against its root, and signatures against the root.
/// </summary>
internal sealed class ModelDownload(RegistryConnection registry)
{
    private const int AtOnce = 4, CopyBytes = 1 << 20;

    /// <summary>The model card that the registry writes; a checkpoint's own file of that name is fetched instead.</summary>
    private const string Card = "README.md";

    /// <exception cref="UserInputException">The output exists, or there is no such version.</exception>
    /// <exception cref="InvalidDataException">What came is not what was registered; the output is not made.</exception>
    public async Task<Digest> FetchAsync(
        string reference, string directory, SigningKey? signer, IProgress<(long, long)> progress, CancellationToken cancellationToken)
    {
        if (File.Exists(directory) || Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
            throw new UserInputException($"{directory}: the output exists and is not empty; choose another one, or remove it first.");
        var version = await FindAsync(reference, cancellationToken).ConfigureAwait(false);
        var signatures = await registry.Api.ListSignaturesAsync(version.Model, version.Version, cancellationToken).ConfigureAwait(false);
        Signatures.Require($"{version.Model}@{version.Version}", version.Root, signatures.Items, signer);
        var manifest = await ReadManifestAsync(version, cancellationToken).ConfigureAwait(false);
        CheckFiles(version, manifest);
        var partial = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)) + $".{version.Root.Short}.partial";
        RemoveStrays(Directory.CreateDirectory(partial), version.Files);
        var (got, total) = (0L, version.Files.Sum(f => f.Size));
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(version.Files, parallel, async (file, token) =>
            await FetchFileAsync(
                version, file, Path.Combine(partial, file.Path), bytes => progress.Report((Interlocked.Add(ref got, bytes), total)),
                token).ConfigureAwait(false)).ConfigureAwait(false);
        await CheckAsync(version, manifest, partial, cancellationToken).ConfigureAwait(false);
        if (Directory.Exists(directory))
            Directory.Delete(directory);
        Directory.Move(partial, directory);
        return version.Root;
    }

    private static string PathOf(VersionDetails version) => PathOf(version.Model, version.Version);

    private static string PathOf(string model, int version) => $"/api/v1/models/{Uri.EscapeDataString(model)}/versions/{version}";

    private async Task<VersionDetails> FindAsync(string reference, CancellationToken cancellationToken)
    {
        var at = reference.IndexOf('@', StringComparison.Ordinal);
        var (name, label) = at < 0 ? (reference, "latest") : (reference[..at], reference[(at + 1)..]);
        if (name.Length == 0)
            throw new UserInputException($"'{reference}' names no model: expected NAME, NAME@VERSION or NAME@ALIAS.");
        if (!int.TryParse(label, out var number))
        {
            var model = await registry.Api.FindModelAsync(name, cancellationToken).ConfigureAwait(false);
            if (label == "latest")
                number = model.Latest;
            else if (!model.Aliases.TryGetValue(label, out number))
                throw new UserInputException($"'{name}' has no alias '{label}': there are {string.Join(", ", model.Aliases.Keys)}.");
        }
        return await registry.Api.FindVersionAsync(name, number, cancellationToken).ConfigureAwait(false);
    }

    private async Task<Manifest> ReadManifestAsync(VersionDetails version, CancellationToken cancellationToken)
    {
        var bytes = await registry.GetBytesAsync($"{PathOf(version)}/manifest", cancellationToken).ConfigureAwait(false);
        return Digest.Of(bytes) == version.Root
            ? JsonSerializer.Deserialize<Manifest>(bytes, WireJson.Options)!
            : throw new InvalidDataException($"The manifest is not the one with the root {version.Root.Hex}; nothing was written.");
    }

    /// <summary>A server lists what the manifest does, a card and weights, and nothing that would lie unchecked in the output.</summary>
    private static void CheckFiles(VersionDetails version, Manifest manifest)
    {
        var known = manifest.Files.Select(f => f.Path).Append(Card).ToHashSet(StringComparer.Ordinal);
        var missing = manifest.Files.Select(f => f.Path).Except(version.Files.Select(f => EntryPath.Check(f.Path))).FirstOrDefault();
        if (missing is not null)
            throw new InvalidDataException($"The registry does not list '{missing}', which belongs to {version.Model}@{version.Version}; nothing was written.");
        if (version.Files.FirstOrDefault(f => !known.Contains(f.Path) && !DirectoryComparison.IsWeights(f.Path)) is { } stray)
            throw new InvalidDataException($"The registry lists '{stray.Path}', which was not registered; nothing was written.");
    }

    private static void RemoveStrays(DirectoryInfo partial, IReadOnlyList<FileView> files)
    {
        var known = files.Select(f => Path.Combine(partial.FullName, f.Path)).ToHashSet(StringComparer.Ordinal);
        foreach (var stray in partial.EnumerateFiles("*", SearchOption.AllDirectories).Where(f => !known.Contains(f.FullName)))
            stray.Delete();
    }

    private async Task FetchFileAsync(VersionDetails version, FileView file, string path, Action<long> advance, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        using var output = new FileStream(path, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None);
        if (output.Length > file.Size)
            output.SetLength(0);
        output.Seek(0, SeekOrigin.End);
        advance(output.Position);
        if (output.Position == file.Size)
            return;
        var escaped = string.Join('/', file.Path.Split('/').Select(Uri.EscapeDataString));
        using var request = new HttpRequestMessage(HttpMethod.Get, $"{PathOf(version)}/files/{escaped}");
        if (output.Position > 0)
        {
            request.Headers.Range = new RangeHeaderValue(output.Position, null);
            request.Headers.IfRange = new RangeConditionHeaderValue(new EntityTagHeaderValue($"\"{file.Etag}\""));
        }
        using var answer = await registry.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        if (answer.StatusCode == HttpStatusCode.OK && output.Position > 0)
        {
            advance(-output.Position); // the file has changed meanwhile: from the beginning
            output.SetLength(0);
        }
        var input = await answer.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (input.ConfigureAwait(false))
        {
            var buffer = new byte[CopyBytes];
            for (int read; (read = await input.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
            {
                await output.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                advance(read);
            }
        }
        if (output.Length != file.Size)
            throw new IOException($"{file.Path}: the connection ended after {output.Length} of {file.Size} bytes; the same command resumes from there.");
    }

    private async Task CheckAsync(VersionDetails version, Manifest manifest, string directory, CancellationToken cancellationToken)
    {
        try
        {
            foreach (var file in manifest.Files)
                await CheckFileAsync(version, file, Path.Combine(directory, file.Path), cancellationToken).ConfigureAwait(false);
            DirectoryComparison.CheckTensors(manifest, directory, cancellationToken);
        }
        catch (Exception e) when (e is InvalidDataException or UserInputException)
        {
            throw new InvalidDataException($"The model was damaged on the way: {e.Message} Remove {directory} and fetch it again.", e);
        }
    }

    /// <summary>A file that the registry serves otherwise than it is stored is checked against the stored bytes.</summary>
    private async Task CheckFileAsync(VersionDetails version, FileEntry file, string path, CancellationToken cancellationToken)
    {
        var bytes = await File.ReadAllBytesAsync(path, cancellationToken).ConfigureAwait(false);
        if (Digest.Of(bytes) == file.Blob)
            return;
        var stored = version.Files.First(f => f.Path == file.Path).Sha256 == file.Blob.Hex
            ? null // it claims to be the stored one
            : await registry.GetBytesAsync($"{PathOf(version)}/stored/{file.Blob.Hex}", cancellationToken).ConfigureAwait(false);
        if (stored is null || Digest.Of(stored) != file.Blob)
            throw new InvalidDataException($"'{file.Path}' does not match the manifest.");
        if (file.Path == Card)
            await File.WriteAllBytesAsync(path, stored, cancellationToken).ConfigureAwait(false);
        else if (!DirectoryComparison.IsExportOf(file.Path, stored, bytes))
            throw new InvalidDataException($"'{file.Path}' does not match the manifest.");
    }
}
