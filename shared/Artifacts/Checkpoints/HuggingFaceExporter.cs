using System.Text.Encodings.Web;
using System.Text.Json;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints.Families;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>How the experts of a layer lie in files.</summary>
public enum ExpertLayout
{
    /// <summary>As in the directory that the checkpoint was imported from; one by one when it was not.</summary>
    AsImported,

    /// <summary>One tensor per expert and projection, under the family's classic names: what every reader understands.</summary>
    Separate,

    /// <summary>Two tensors per layer, <c>gate_up_proj</c> and <c>down_proj</c>, as newer writers have them.</summary>
    Stacked,
}

/// <summary>How an export behaves.</summary>
public sealed class ExportOptions
{
    /// <summary>Largest shard, in bytes of tensors; a larger tensor gets a shard of its own. One file when everything fits.</summary>
    /// <value>5 GB (decimal)</value>
    public long ShardSizeBytes { get; init; } = 5_000_000_000;

    /// <summary>How the experts of a layer lie in the files.</summary>
    /// <value>as imported</value>
    public ExpertLayout Experts { get; init; } = ExpertLayout.AsImported;

    /// <summary>Gets bytes done and bytes in all.</summary>
    public IProgress<(long Done, long Total)>? Progress { get; init; }

    /// <summary>
    /// Names the temporary directory beside the output. An export that names it again takes away what a killed one left;
    /// no two exports may use one name at the same time.
    /// </summary>
    /// <value>a new name every time</value>
    public string? Attempt { get; init; }
}

/// <summary>Writes a stored checkpoint as a Hugging Face directory: whole or not at all.</summary>
public static class HuggingFaceExporter
{
    private static readonly JsonSerializerOptions Indented = new()
    {
        WriteIndented = true,
        IndentSize = 2,
        NewLine = "\n",
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
    };

    /// <summary>Exports a checkpoint.</summary>
    /// <exception cref="UserInputException">The output exists and is not an empty directory, or the artifact is not a checkpoint.</exception>
    public static Task ExportAsync(ArtifactStore store, ManifestRef artifact, string directory, ExportOptions? options, CancellationToken cancellationToken) =>
        ExportAsync(store, artifact.Root, directory, options, cancellationToken);

    /// <summary>Exports a checkpoint. Files are written into a temporary directory beside the output, which is renamed at the end.</summary>
    /// <exception cref="UserInputException">The output exists and is not an empty directory, or the artifact is not a checkpoint.</exception>
    public static async Task ExportAsync(ArtifactStore store, Digest root, string directory, ExportOptions? options, CancellationToken cancellationToken)
    {
        options ??= new ExportOptions();
        ArgumentOutOfRangeException.ThrowIfLessThan(options.ShardSizeBytes, 1);
        var output = Path.TrimEndingDirectorySeparator(Path.GetFullPath(directory));
        CheckVacant(output);
        var reader = await CheckpointReader.OpenAsync(store, root, cancellationToken).ConfigureAwait(false);
        if (reader.Manifest.Kind != ArtifactKind.Checkpoint)
            throw new UserInputException($"{root.Short} is a {WireName(reader.Manifest.Kind)}, not a checkpoint, and cannot be exported as a model.");
        var parent = Path.GetDirectoryName(output) ?? throw new UserInputException($"{directory}: cannot be an output directory.");
        Directory.CreateDirectory(parent);
        var temporary = Path.Combine(parent, $".{Path.GetFileName(output)}.{options.Attempt ?? Guid.NewGuid().ToString("n")}.partial");
        try
        {
            if (options.Attempt is not null && Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
            Directory.CreateDirectory(temporary);
            await WriteFilesAsync(reader, temporary, cancellationToken).ConfigureAwait(false);
            await WriteShardsAsync(reader, temporary, options, cancellationToken).ConfigureAwait(false);
            FileSystemCalls.FlushDirectory(temporary);
            CheckVacant(output);
            if (Directory.Exists(output))
                Directory.Delete(output); // empty: only that was let through
            Directory.Move(temporary, output);
            FileSystemCalls.FlushDirectory(parent);
        }
        finally
        {
            if (Directory.Exists(temporary))
                Directory.Delete(temporary, recursive: true);
        }
    }

    /// <summary>Cuts tensors into shards: a new one starts when the next tensor would pass the limit.</summary>
    internal static List<List<TensorHeader>> Split(IEnumerable<TensorHeader> tensors, long limit)
    {
        List<List<TensorHeader>> shards = [[]];
        long size = 0;
        foreach (var tensor in tensors)
        {
            if (size + tensor.SizeBytes > limit && shards[^1].Count > 0)
            {
                shards.Add([]);
                size = 0;
            }
            shards[^1].Add(tensor);
            size += tensor.SizeBytes;
        }
        return shards;
    }

    /// <summary>Whether a checkpoint was imported from files with all experts of a layer in one tensor.</summary>
    internal static bool IsStacked(Manifest manifest) => (string?)manifest.Properties?[HuggingFaceImporter.LayoutProperty] == HuggingFaceImporter.StackedLayout;

    /// <summary>Name of a shard.</summary>
    internal static string ShardName(int index, int count) => count == 1 ? "model.safetensors" : $"model-{index + 1:00000}-of-{count:00000}.safetensors";

    /// <summary>The index of several shards.</summary>
    internal static byte[] Index(long totalBytes, SortedDictionary<string, string> map) =>
        [.. JsonSerializer.SerializeToUtf8Bytes(new { metadata = new { total_size = totalBytes }, weight_map = map }, Indented), (byte)'\n'];

    private static void CheckVacant(string output)
    {
        if (File.Exists(output))
            throw new UserInputException($"{output}: a file of this name exists; choose another output directory.");
        if (Directory.Exists(output) && Directory.EnumerateFileSystemEntries(output).Any())
            throw new UserInputException($"{output}: the output directory exists and is not empty; choose another one, or remove it first.");
    }

    private static async Task WriteFilesAsync(CheckpointReader reader, string directory, CancellationToken cancellationToken)
    {
        foreach (var file in reader.Manifest.Files)
        {
            var path = Path.Combine(directory, file.Path); // the reader checked that it cannot lead out
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            var bytes = reader.ReadFile(file.Path);
            await WriteFileAsync(path, file.Path == SideFiles.Config ? FamilyConfig.ToDisk(bytes) : bytes, cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task WriteShardsAsync(CheckpointReader reader, string directory, ExportOptions options, CancellationToken cancellationToken)
    {
        var total = reader.Manifest.Tensors.Sum(t => t.SizeBytes);
        var isStacked = options.Experts == ExpertLayout.Stacked
            || options.Experts == ExpertLayout.AsImported && IsStacked(reader.Manifest);
        var family = reader.HasFile(SideFiles.Config) ? FamilyFacts.Read(reader.ReadFile(SideFiles.Config)).Family : null;
        var tensors = new FamilyTensors([.. reader.Names.Select(reader.Describe)], family, isStacked, reader);
        var shards = Split(tensors.Names.Order(LayerOrder.Comparer).Select(tensors.Describe), options.ShardSizeBytes);
        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        long finished = 0;
        for (var i = 0; i < shards.Count; i++)
        {
            var file = ShardName(i, shards.Count);
            await SafetensorsWriter.WriteAsync(
                Path.Combine(directory, file), tensors, shards[i].Select(t => t.Name), progress: done =>
                    options.Progress?.Report((finished + done, total)), cancellationToken: cancellationToken)
                .ConfigureAwait(false);
            finished += shards[i].Sum(t => t.SizeBytes);
            shards[i].ForEach(t => map.Add(t.Name, file));
        }
        if (shards.Count == 1)
            return;
        await WriteFileAsync(Path.Combine(directory, ShardIndex.FileName), Index(total, map), cancellationToken).ConfigureAwait(false);
    }

    private static async Task WriteFileAsync(string path, byte[] bytes, CancellationToken cancellationToken)
    {
        using var file = new FileStream(path, FileMode.CreateNew, FileAccess.Write, FileShare.None, bufferSize: 0);
        await file.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        file.Flush(flushToDisk: true);
    }

    private static string WireName(ArtifactKind kind) => JsonNamingPolicy.KebabCaseLower.ConvertName(kind.ToString());
}
