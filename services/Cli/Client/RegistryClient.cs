using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text.Json;
using Espalier.Artifacts;
using Espalier.Artifacts.Checkpoints;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;
using Espalier.Registry.Api;
using Espalier.Registry.Signing;

namespace Espalier.Cli.Client;

/// <summary>Moves models to and from a registry over HTTP.</summary>
internal sealed class RegistryClient : IDisposable
{
    private const int AtOnce = 4, AskedAtOnce = 5000;
    private readonly HttpClient _http;

    public RegistryClient(string server, string? key)
    {
        if (!Uri.TryCreate(server, UriKind.Absolute, out var address) || address.Scheme is not ("http" or "https"))
            throw new UserInputException($"'{server}' is not the address of a registry: expected one such as http://127.0.0.1:8080.");
        key ??= Environment.GetEnvironmentVariable("ESPALIER_KEY") is { Length: > 0 } secret
            ? secret
            : throw new UserInputException($"{server} needs a key: give --key, or set ESPALIER_KEY.");
        _http = new HttpClient { BaseAddress = address, Timeout = Timeout.InfiniteTimeSpan };
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Bearer", key);
    }

    /// <summary>Sends a stored checkpoint: the blobs that the registry lacks, then the manifest.</summary>
    public async Task<(VersionView Version, long Sent)> UploadAsync(
        ArtifactStore store, Digest root, string name, string origin, IProgress<(long, long)> progress, CancellationToken cancellationToken)
    {
        var manifest = await store.ReadAsync(root, cancellationToken).ConfigureAwait(false);
        var blobs = manifest.Files.Select(f => f.Blob).Concat(manifest.Tensors.Select(t => t.Blob)).Distinct().ToList();
        var missing = new List<Digest>();
        foreach (var part in blobs.Chunk(AskedAtOnce))
        {
            var answer = await SendAsync<MissingBlobs>(
                HttpMethod.Post, "/api/v1/blobs/missing", JsonContent.Create(new BlobDigests(part), options: WireJson.Options),
                cancellationToken).ConfigureAwait(false);
            missing.AddRange(answer.Missing);
        }
        var lengths = new Dictionary<Digest, long>();
        foreach (var blob in missing)
            lengths[blob] = await store.Blobs.FindLengthAsync(blob, cancellationToken).ConfigureAwait(false) ?? 0;
        var (sent, total) = (0L, lengths.Values.Sum());
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(missing, parallel, async (blob, token) =>
        {
            var stream = await store.Blobs.OpenReadAsync(blob, 0, null, token).ConfigureAwait(false);
            await using (stream.ConfigureAwait(false))
            {
                var content = new StreamContent(stream);
                content.Headers.ContentType = new MediaTypeHeaderValue("application/octet-stream");
                content.Headers.ContentLength = lengths[blob];
                await SendAsync<StoredBlob>(HttpMethod.Put, $"/api/v1/blobs/{blob.Hex}", content, token).ConfigureAwait(false);
            }
            progress.Report((Interlocked.Add(ref sent, lengths[blob]), total));
        }).ConfigureAwait(false);
        // Ancestors stay here: the registry could not check what it does not have.
        var body = new { Manifest = manifest with { Parents = [], Experts = [] }, Origin = origin };
        var version = await SendAsync<VersionView>(
            HttpMethod.Post, $"/api/v1/models/{Uri.EscapeDataString(name)}/versions", JsonContent.Create(body, options: WireJson.Options),
            cancellationToken).ConfigureAwait(false);
        return (version, total);
    }

    /// <summary>
    /// Fetches a version as a Hugging Face directory: files in parallel, each resumed where it broke off; every tensor is checked
    /// against its digest, and signatures against the root.
    /// </summary>
    public async Task<Digest> DownloadAsync(
        string reference, string directory, SigningKey? signer, IProgress<(long, long)> progress, CancellationToken cancellationToken)
    {
        if (File.Exists(directory) || Directory.Exists(directory) && Directory.EnumerateFileSystemEntries(directory).Any())
            throw new UserInputException($"{directory}: the output exists and is not empty; choose another one, or remove it first.");
        var version = await FindAsync(reference, cancellationToken).ConfigureAwait(false);
        var signatures = await SendAsync<SignatureList>(
            HttpMethod.Get, $"/api/v1/models/{Uri.EscapeDataString(version.Model)}/versions/{version.Version}/signatures", null,
            cancellationToken).ConfigureAwait(false);
        Signatures.Require($"{version.Model}@{version.Version}", version.Root, signatures.Items, signer);
        var partial = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory)) + $".{version.Root.Short}.partial";
        Directory.CreateDirectory(partial);
        var (got, total) = (0L, version.Files.Sum(f => f.Size));
        var parallel = new ParallelOptions { MaxDegreeOfParallelism = AtOnce, CancellationToken = cancellationToken };
        await Parallel.ForEachAsync(version.Files, parallel, async (file, token) =>
            await DownloadAsync(
                version, file, Path.Combine(partial, EntryPath.Check(file.Path)), bytes => progress.Report((Interlocked.Add(ref got, bytes), total)),
                token).ConfigureAwait(false)).ConfigureAwait(false);
        await VerifyAsync(version, partial, cancellationToken).ConfigureAwait(false);
        if (Directory.Exists(directory))
            Directory.Delete(directory);
        Directory.Move(partial, directory);
        return version.Root;
    }

    public void Dispose() => _http.Dispose();

    private async Task<VersionDetails> FindAsync(string reference, CancellationToken cancellationToken)
    {
        var at = reference.IndexOf('@', StringComparison.Ordinal);
        var (name, label) = at < 0 ? (reference, "latest") : (reference[..at], reference[(at + 1)..]);
        if (!int.TryParse(label, out var number))
        {
            var model = await SendAsync<ModelView>(
                HttpMethod.Get, $"/api/v1/models/{Uri.EscapeDataString(name)}", null, cancellationToken).ConfigureAwait(false);
            if (label == "latest")
                number = model.Latest;
            else if (!model.Aliases.TryGetValue(label, out number))
                throw new UserInputException($"'{name}' has no alias '{label}': there are {string.Join(", ", model.Aliases.Keys)}.");
        }
        return await SendAsync<VersionDetails>(
            HttpMethod.Get, $"/api/v1/models/{Uri.EscapeDataString(name)}/versions/{number}", null, cancellationToken).ConfigureAwait(false);
    }

    private async Task DownloadAsync(VersionDetails version, FileView file, string path, Action<long> advance, CancellationToken cancellationToken)
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
        using var request = new HttpRequestMessage(
            HttpMethod.Get, $"/api/v1/models/{Uri.EscapeDataString(version.Model)}/versions/{version.Version}/files/{escaped}");
        if (output.Position > 0)
        {
            request.Headers.Range = new RangeHeaderValue(output.Position, null);
            request.Headers.IfRange = new RangeConditionHeaderValue(new EntityTagHeaderValue($"\"{file.Etag}\""));
        }
        using var answer = await _http.SendAsync(request, HttpCompletionOption.ResponseHeadersRead, cancellationToken).ConfigureAwait(false);
        await CheckAsync(answer, cancellationToken).ConfigureAwait(false);
        if (answer.StatusCode == HttpStatusCode.OK && output.Position > 0)
        {
            advance(-output.Position); // the file has changed meanwhile: from the beginning
            output.SetLength(0);
        }
        var input = await answer.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
        await using (input.ConfigureAwait(false))
        {
            var buffer = new byte[1 << 20];
            for (int read; (read = await input.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
            {
                await output.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                advance(read);
            }
        }
        if (output.Length != file.Size)
            throw new IOException($"{file.Path}: the connection ended after {output.Length} of {file.Size} bytes; the same command resumes from there.");
    }

    /// <summary>Checks the manifest against the root and the files against the manifest.</summary>
    private async Task VerifyAsync(VersionDetails version, string directory, CancellationToken cancellationToken)
    {
        var bytes = await _http.GetByteArrayAsync(
            new Uri($"/api/v1/models/{Uri.EscapeDataString(version.Model)}/versions/{version.Version}/manifest", UriKind.Relative),
            cancellationToken).ConfigureAwait(false);
        if (Digest.Of(bytes) != version.Root)
            throw new InvalidDataException($"The manifest is not the one with the root {version.Root.Hex}; nothing was written.");
        var manifest = JsonSerializer.Deserialize<Manifest>(bytes, WireJson.Options)!;
        foreach (var file in manifest.Files.Where(f => f.Path != "README.md")) // the card takes its place
        {
            using var stream = File.OpenRead(Path.Combine(directory, EntryPath.Check(file.Path)));
            Require(Digest.FromHash(await SHA256.HashDataAsync(stream, cancellationToken).ConfigureAwait(false)) == file.Blob, directory, file.Path);
        }
        if (manifest.Tensors.Count == 0)
            return;
        using var tensors = HuggingFaceDirectory.Open(directory);
        foreach (var blob in manifest.Tensors.GroupBy(t => t.Blob))
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            foreach (var tensor in blob.DistinctBy(t => t.Offset).OrderBy(t => t.Offset))
                Append(hash, tensors, tensor.Name, tensor.SizeBytes);
            Require(Digest.FromHash(hash.GetHashAndReset()) == blob.Key, directory, blob.First().Name);
        }
    }

    private static void Append(IncrementalHash hash, HuggingFaceDirectory tensors, string name, long length)
    {
        var buffer = new byte[(int)Math.Min(length, 4 << 20)];
        for (long at = 0; at < length; at += buffer.Length)
        {
            var part = buffer.AsSpan(0, (int)Math.Min(buffer.Length, length - at));
            tensors.ReadRange(name, at, part);
            hash.AppendData(part);
        }
    }

    private static void Require(bool isEqual, string directory, string what)
    {
        if (!isEqual)
            throw new InvalidDataException($"'{what}' was damaged on the way: its bytes do not match the manifest. Remove {directory} and fetch it again.");
    }

    private async Task<T> SendAsync<T>(HttpMethod method, string path, HttpContent? content, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(method, path) { Content = content };
        using var answer = await _http.SendAsync(request, cancellationToken).ConfigureAwait(false);
        await CheckAsync(answer, cancellationToken).ConfigureAwait(false);
        return (await answer.Content.ReadFromJsonAsync<T>(WireJson.Options, cancellationToken).ConfigureAwait(false))!;
    }

    private static async Task CheckAsync(HttpResponseMessage answer, CancellationToken cancellationToken)
    {
        if (answer.IsSuccessStatusCode)
            return;
        var text = await answer.Content.ReadAsStringAsync(cancellationToken).ConfigureAwait(false);
        var detail = text.StartsWith('{') && JsonSerializer.Deserialize<JsonElement>(text).TryGetProperty("detail", out var reason) ? reason.GetString() : null;
        throw answer.StatusCode < HttpStatusCode.InternalServerError
            ? new UserInputException(detail ?? $"The registry answers {(int)answer.StatusCode} {answer.ReasonPhrase}.")
            : new IOException(detail ?? $"The registry answers {(int)answer.StatusCode}.");
    }
}
