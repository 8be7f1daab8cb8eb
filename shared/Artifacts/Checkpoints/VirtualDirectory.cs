using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Espalier.Artifacts.Checkpoints.Families;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>Part of a file: bytes in memory, or a range of a blob.</summary>
internal readonly record struct FilePart(long Start, long Length, ReadOnlyMemory<byte> Bytes, Digest Blob, long Offset);

/// <summary>A file that is put together from parts while it is read.</summary>
public sealed class VirtualFile
{
    internal VirtualFile(string path, IReadOnlyList<FilePart> parts, Digest? sha256)
    {
        Path = path;
        Parts = parts;
        Sha256 = sha256;
        SizeBytes = parts.Count == 0 ? 0 : parts[^1].Start + parts[^1].Length;
        Tag = sha256 ?? TagOf(parts);
    }

    /// <summary>Path within the directory.</summary>
    public string Path { get; }

    /// <summary>Bytes.</summary>
    public long SizeBytes { get; }

    /// <summary>Digest of the bytes, where it is known without reading them.</summary>
    public Digest? Sha256 { get; }

    /// <summary>A digest that equals that of another file only when the bytes are equal.</summary>
    public Digest Tag { get; }

    internal IReadOnlyList<FilePart> Parts { get; }

    private static Digest TagOf(IReadOnlyList<FilePart> parts)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var part in parts)
        {
            if (part.Blob.IsEmpty)
                hash.AppendData(part.Bytes.Span);
            else
                hash.AppendData(Encoding.ASCII.GetBytes($"{part.Blob.Hex}:{part.Offset}:{part.Length};"));
        }
        return Digest.FromHash(hash.GetHashAndReset());
    }
}

/// <summary>
/// A stored checkpoint as a Hugging Face directory that is on no disk: configuration and tokenizer as they are, weights as
/// safetensors shards of headers in memory and tensors in the store. The layout is that of an export, byte for byte.
/// </summary>
public sealed class VirtualDirectory
{
    private const long ShardBytes = 5_000_000_000;
    private readonly Dictionary<string, VirtualFile> _byPath;

    private VirtualDirectory(IEnumerable<VirtualFile> files)
    {
        Files = [.. files.OrderBy(f => f.Path, StringComparer.Ordinal)];
        _byPath = Files.ToDictionary(f => f.Path, StringComparer.Ordinal);
    }

    /// <summary>The files, by path.</summary>
    public IReadOnlyList<VirtualFile> Files { get; }

    /// <summary>Lays a manifest out.</summary>
    /// <param name="manifest">The checkpoint.</param>
    /// <param name="config">Its <c>config.json</c>, which says the family's names on disk; without it the store's are used.</param>
    /// <param name="shardBytes">Largest shard.</param>
    /// <exception cref="ArgumentException">A path leads out of the directory.</exception>
    public static VirtualDirectory Of(Manifest manifest, byte[]? config = null, long shardBytes = ShardBytes)
    {
        var directory = LayOut(manifest, config, shardBytes);
        return config is not null && FamilyConfig.ToDisk(config) is var onDisk && !ReferenceEquals(onDisk, config)
            ? directory.With(SideFiles.Config, onDisk)
            : directory;
    }

    private static VirtualDirectory LayOut(Manifest manifest, byte[]? config, long shardBytes)
    {
        var files = manifest.Files.Select(f => new VirtualFile(EntryPath.Check(f.Path), [new FilePart(0, f.SizeBytes, default, f.Blob, 0)], f.Blob)).ToList();
        if (manifest.Tensors.Count == 0)
            return new VirtualDirectory(files);
        var entries = manifest.Tensors.ToDictionary(t => t.Name, StringComparer.Ordinal);
        var tensors = new FamilyTensors(
            [.. entries.Values.Select(t => new TensorHeader(t.Name, t.DType, t.Shape, t.SizeBytes))],
            config is null ? null : FamilyFacts.Read(config).Family,
            HuggingFaceExporter.IsStacked(manifest));
        var headers = tensors.Names.Order(LayerOrder.Comparer).Select(tensors.Describe);
        var shards = HuggingFaceExporter.Split(headers, shardBytes);
        var map = new SortedDictionary<string, string>(StringComparer.Ordinal);
        for (var i = 0; i < shards.Count; i++)
        {
            var name = HuggingFaceExporter.ShardName(i, shards.Count);
            files.Add(Shard(name, shards[i], tensor => tensors.PartsOf(tensor).Select(part => entries[part])));
            shards[i].ForEach(t => map.Add(t.Name, name));
        }
        if (shards.Count > 1)
            files.Add(InMemory(ShardIndex.FileName, HuggingFaceExporter.Index(manifest.Tensors.Sum(t => t.SizeBytes), map)));
        return new VirtualDirectory(files);
    }

    /// <summary>The same directory with another file; one of that path is replaced.</summary>
    public VirtualDirectory With(string path, byte[] bytes) => new(Files.Where(f => f.Path != path).Append(InMemory(path, bytes)));

    /// <summary>A file, or null.</summary>
    public VirtualFile? Find(string path) => _byPath.GetValueOrDefault(path);

    private static VirtualFile InMemory(string path, byte[] bytes) => new(path, [new FilePart(0, bytes.Length, bytes, default, 0)], Digest.Of(bytes));

    private static VirtualFile Shard(string name, List<TensorHeader> tensors, Func<string, IEnumerable<TensorEntry>> entriesOf)
    {
        var layout = SafetensorsWriter.Layout(tensors);
        var header = SafetensorsWriter.Header(layout, SafetensorsWriter.DefaultMetadata);
        var parts = new List<FilePart>(layout.Count + 1) { new(0, header.Length, header, default, 0) };
        long start = header.Length;
        foreach (var entry in layout.SelectMany(t => entriesOf(t.Name)).Where(t => t.SizeBytes > 0))
        {
            parts.Add(new FilePart(start, entry.SizeBytes, default, entry.Blob, entry.Offset));
            start += entry.SizeBytes;
        }
        return new VirtualFile(name, parts, null);
    }
}
