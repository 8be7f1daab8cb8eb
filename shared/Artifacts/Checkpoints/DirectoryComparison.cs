using System.Buffers;
using System.Security.Cryptography;
using Espalier.Artifacts.Checkpoints.Families;
using Espalier.Artifacts.Manifests;
using Espalier.Contracts;

namespace Espalier.Artifacts.Checkpoints;

/// <summary>
/// Compares a Hugging Face directory that came from elsewhere with the manifest that it claims to be. Tensors are compared under
/// the store's names, whatever their family calls them and however experts lie in the files.
/// </summary>
public static class DirectoryComparison
{
    private const int ChunkBytes = 4 << 20;

    /// <summary>Names, types, shapes and bytes of all tensors.</summary>
    /// <exception cref="InvalidDataException">Something differs; the text names the tensor as the files call it.</exception>
    /// <exception cref="UserInputException">The directory is not a model directory.</exception>
    public static void CheckTensors(Manifest manifest, string directory, CancellationToken cancellationToken)
    {
        if (manifest.Tensors.Count == 0)
            return;
        using var files = HuggingFaceDirectory.Open(directory);
        var tensors = new UnifiedTensors(files);
        CheckHeaders(manifest, tensors);
        foreach (var blob in manifest.Tensors.Where(t => t.SizeBytes > 0).GroupBy(t => t.Blob))
            CheckBlob(blob.Key, blob, tensors, cancellationToken);
    }

    /// <summary>
    /// Whether a file is the stored one: the same bytes, or, for <c>config.json</c>, those that an export makes of them when a
    /// family calls its modules otherwise than the store.
    /// </summary>
    public static bool IsExportOf(string path, ReadOnlySpan<byte> stored, ReadOnlySpan<byte> exported) =>
        stored.SequenceEqual(exported) || path == SideFiles.Config && exported.SequenceEqual(FamilyConfig.ToDisk(stored.ToArray()));

    /// <summary>Whether a file of this name holds weights or says where they are.</summary>
    public static bool IsWeights(string path) => path.EndsWith(".safetensors", StringComparison.Ordinal) || path == ShardIndex.FileName;

    private static void CheckHeaders(Manifest manifest, UnifiedTensors tensors)
    {
        var found = tensors.Names.ToHashSet(StringComparer.Ordinal);
        foreach (var tensor in manifest.Tensors)
        {
            if (!found.Remove(tensor.Name))
                throw Different(tensors, tensor.Name, "it is missing");
            var header = tensors.Describe(tensor.Name);
            if (header.DType != tensor.DType || !header.Shape.SequenceEqual(tensor.Shape))
                throw Different(tensors, tensor.Name, $"it is {header.DType} of shape [{string.Join(", ", header.Shape)}]");
        }
        if (found.Order(StringComparer.Ordinal).FirstOrDefault() is { } stray)
            throw Different(tensors, stray, "the manifest does not list it");
    }

    /// <summary>The tensors of a blob, one after the other, are its bytes: a tensor is a blob of its own, or one of a pack.</summary>
    private static void CheckBlob(Digest blob, IEnumerable<TensorEntry> entries, UnifiedTensors tensors, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var parts = entries.GroupBy(t => t.Offset).Select(g => g.MaxBy(t => t.SizeBytes)!).OrderBy(t => t.Offset).ToList();
        foreach (var tensor in parts)
            Append(hash, tensors, tensor.Name, tensor.SizeBytes, cancellationToken);
        if (Digest.FromHash(hash.GetHashAndReset()) != blob)
            throw Different(tensors, parts[0].Name, "its bytes do not match the manifest");
    }

    private static void Append(IncrementalHash hash, UnifiedTensors tensors, string name, long length, CancellationToken cancellationToken)
    {
        var buffer = ArrayPool<byte>.Shared.Rent((int)Math.Min(length, ChunkBytes));
        for (long at = 0; at < length; at += ChunkBytes)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var part = buffer.AsSpan(0, (int)Math.Min(ChunkBytes, length - at));
            tensors.ReadRange(name, at, part);
            hash.AppendData(part);
        }
        ArrayPool<byte>.Shared.Return(buffer);
    }

    private static InvalidDataException Different(UnifiedTensors tensors, string name, string how) =>
        new($"'{LogSafe.Name(tensors.NameInFile(name))}' is not the tensor that was registered: {how}.");
}
