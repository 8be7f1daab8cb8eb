using System.Text.Json;
using Espalier.Artifacts.Blobs;
using Espalier.Artifacts.Checkpoints.Families;
using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>
/// A checkpoint directory in the Hugging Face layout, open for reading: <c>config.json</c>, tokenizer files, and weights in
/// one safetensors file or in shards with an index. Everything but the weights' values is checked on opening.
/// </summary>
public sealed class HuggingFaceDirectory : ITensorBytes, IDisposable
{
    private const string SingleFile = "model.safetensors";
    private readonly List<SafetensorsFile> _shards = [];
    private readonly Dictionary<string, SafetensorsFile> _shardOf = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _files = new(StringComparer.Ordinal);
    private readonly SortedSet<string> _notes = new(StringComparer.Ordinal);

    private HuggingFaceDirectory(string path) => DirectoryPath = path;

    /// <summary>Where the directory is.</summary>
    public string DirectoryPath { get; }

    /// <inheritdoc/>
    public IReadOnlyList<string> Names { get; private set; } = [];

    /// <summary>Paths of files beside the weights that belong to the checkpoint, in ordinal order.</summary>
    public IReadOnlyList<string> Files => [.. _files.Keys.Order(StringComparer.Ordinal)];

    /// <summary>Other files, which are left alone, and folders without anything else (with a slash at the end), in ordinal order.</summary>
    public IReadOnlyList<string> IgnoredFiles { get; private set; } = [];

    /// <summary>Sentences about oddities that do no harm.</summary>
    public IReadOnlyCollection<string> Notes => _notes;

    /// <summary>Bytes of all tensors.</summary>
    public long SizeBytes => _shards.Sum(s => s.SizeBytes);

    /// <summary>Opens a directory.</summary>
    /// <exception cref="UserInputException">It is not such a directory, or breaks a rule of the layout; the text names file and tensor.</exception>
    public static HuggingFaceDirectory Open(string path)
    {
        if (!Directory.Exists(path))
            throw new UserInputException(File.Exists(path) ? $"{path}: a file, not a model directory." : $"{path}: no such directory.");
        var directory = new HuggingFaceDirectory(path);
        try
        {
            directory.OpenFiles();
            directory.OpenShards();
            return directory;
        }
        catch
        {
            directory.Dispose();
            throw;
        }
    }

    /// <summary>Whether a file beside the weights exists.</summary>
    public bool HasFile(string name) => _files.ContainsKey(name);

    /// <summary>Reads a file beside the weights, without the byte-order mark that some editors put before JSON and text.</summary>
    /// <exception cref="KeyNotFoundException">No such file.</exception>
    public byte[] ReadFile(string name)
    {
        var file = _files.TryGetValue(name, out var path) ? path : throw new KeyNotFoundException($"{DirectoryPath} has no file '{name}'.");
        var bytes = BoundedFile.Read(file, SideFiles.LimitOf(name));
        if (!ByteOrderMark.IsParsed(name) || !ByteOrderMark.IsIn(bytes))
            return bytes;
        _notes.Add($"{Path.Combine(DirectoryPath, name)}: begins with a byte-order mark, which was left out.");
        return ByteOrderMark.Skip(bytes).ToArray();
    }

    /// <summary>Names of the tensors as a store has them, whatever the family calls them and however its experts lie.</summary>
    /// <exception cref="UserInputException">Two tensors mean the same, or a tensor of all experts has a shape that cannot be cut.</exception>
    public IReadOnlyList<string> NamesInStore() => new UnifiedTensors(this).Names;

    /// <summary>The file that holds a tensor, for messages.</summary>
    public string FileOf(string tensor) => Find(tensor).FilePath;

    /// <inheritdoc/>
    public TensorHeader Describe(string name) => Find(name).Describe(name);

    /// <inheritdoc/>
    public void Read(string name, Span<byte> destination) => Find(name).Read(name, destination);

    /// <inheritdoc/>
    public void ReadRange(string name, long offset, Span<byte> destination) => Find(name).ReadRange(name, offset, destination);

    /// <summary>Closes the weights.</summary>
    public void Dispose() => _shards.ForEach(s => s.Dispose());

    private SafetensorsFile Find(string name) =>
        _shardOf.TryGetValue(name, out var file) ? file : throw new KeyNotFoundException($"{DirectoryPath} has no tensor '{LogSafe.Name(name)}'.");

    private void OpenFiles()
    {
        var search = SideFileSearch.In(DirectoryPath);
        foreach (var name in search.Taken)
            _files.Add(name, Resolve(name) ?? throw new UserInputException($"{Path.Combine(DirectoryPath, name)}: a link to nothing."));
        IgnoredFiles = search.Ignored;
        if (!HasFile(SideFiles.Config))
            throw new UserInputException($"{DirectoryPath}: no {SideFiles.Config}, so this is not a model directory.");
        CheckConfig();
    }

    private void CheckConfig()
    {
        var place = Path.Combine(DirectoryPath, SideFiles.Config);
        try
        {
            using var config = JsonDocument.Parse(ReadFile(SideFiles.Config));
            if (config.RootElement.ValueKind != JsonValueKind.Object)
                throw new UserInputException($"{place}: expected a JSON object.");
        }
        catch (JsonException e)
        {
            throw new UserInputException($"{place}: not valid JSON: {e.Message}", e);
        }
    }

    private void OpenShards()
    {
        var single = Resolve(SingleFile);
        var index = Resolve(ShardIndex.FileName);
        if (index is not null)
            OpenIndexed(ShardIndex.Read(index), single is not null);
        else if (single is not null)
            Add(Open(SingleFile, single));
        else
            throw NoWeights();
        Names = [.. _shardOf.Keys.Order(StringComparer.Ordinal)];
    }

    private void OpenIndexed(ShardIndex index, bool hasSingleFile)
    {
        var place = Path.Combine(DirectoryPath, ShardIndex.FileName);
        var shards = index.Shards.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        if (hasSingleFile && !shards.Contains(SingleFile))
            throw new UserInputException($"{DirectoryPath}: both {SingleFile} and shards with an index; remove the one that is not meant.");
        foreach (var shard in shards)
        {
            var resolved = Resolve(shard)
                ?? throw new UserInputException(
                    $"{Path.Combine(DirectoryPath, shard)}: no such file, but the index places {index.Shards.Values.Count(s => s == shard)} "
                        + $"tensors there. Fetch the missing shard.");
            var file = Open(shard, resolved);
            var stray = file.Names.FirstOrDefault(n => index.Shards.GetValueOrDefault(n) != shard);
            if (stray is not null)
                throw new UserInputException(
                    $"{file.FilePath}: tensor '{LogSafe.Name(stray)}' is here, but the index "
                        + $"{(index.Shards.TryGetValue(stray, out var other) ? $"places it in {other}" : "does not list it")}.");
            Add(file);
        }
        if (index.Shards.FirstOrDefault(p => !_shardOf.ContainsKey(p.Key)) is { Key: not null } missing)
            throw new UserInputException(
                $"{Path.Combine(DirectoryPath, missing.Value)}: the index places tensor '{LogSafe.Name(missing.Key)}' here, but it is not.");
        if (index.TotalBytes is { } total && total != SizeBytes)
            _notes.Add($"{place}: total_size says {total} bytes, but the shards hold {SizeBytes}; every tensor that the index lists is there.");
    }

    private SafetensorsFile Open(string name, string resolved)
    {
        // The format's own readers refuse other values; files without metadata are old, not wrong.
        var file = SafetensorsFile.Open(resolved);
        _shards.Add(file);
        if (file.Metadata.TryGetValue("format", out var format) && format is not ("pt" or "tf" or "flax" or "mlx" or "np"))
            throw new UserInputException($"{Path.Combine(DirectoryPath, name)}: format '{LogSafe.Name(format)}' is none of pt, tf, flax, mlx, np.");
        return file;
    }

    private void Add(SafetensorsFile file)
    {
        foreach (var name in file.Names)
            _shardOf.Add(name, file);
    }

    /// <summary>The real path of a file of the directory, or null when there is none. Links may not lead out.</summary>
    private string? Resolve(string name)
    {
        var path = Path.Combine(DirectoryPath, name);
        if (FileSystemCalls.RealPath(path) is not { } real)
            return null;
        if (new FileInfo(path).LinkTarget is null)
            return path;
        var folder = FileSystemCalls.RealPath(DirectoryPath)!;
        // The hub's own cache keeps snapshots/REVISION/FILE as links to blobs/ETAG of the same repository.
        var hubBlobs = Path.GetFileName(Path.GetDirectoryName(folder)) == "snapshots"
            ? Path.Combine(Path.GetDirectoryName(Path.GetDirectoryName(folder))!, "blobs")
            : folder;
        var target = Path.GetDirectoryName(real)!;
        return target == folder || target == hubBlobs || target.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.Ordinal)
            ? real
            : throw new UserInputException($"{path}: a link that leads out of the directory, to {real}. Copy the file instead.");
    }

    private UserInputException NoWeights()
    {
        var pickles = IgnoredFiles.Where(SideFiles.IsPickle).ToList();
        return new UserInputException(
            pickles.Count > 0
                ? $"{DirectoryPath}: only pickled weights ({string.Join(", ", pickles.Take(3))}). A pickle can run code when it is opened, "
                    + $"so none is ever read; convert the model to safetensors first."
                : $"{DirectoryPath}: neither {SingleFile} nor {ShardIndex.FileName}, so there are no weights.");
    }
}
