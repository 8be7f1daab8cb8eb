using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using Espalier.Tokenizers;

namespace Espalier.Datasets.Tokens;

/// <summary>
/// A byte-level BPE learnt from a dataset: made once, kept in the cache folder under (dataset root, size, sample, code),
/// with its digest in front. A damaged or foreign cache file is made again, so results never depend on the cache.
/// </summary>
public static class LearntVocabulary
{
    /// <summary>Opens the cached vocabulary, learning it first where it is missing.</summary>
    /// <param name="dataset">The text.</param>
    /// <param name="size">Ids in all.</param>
    /// <param name="bytesPerDomain">Text to learn from, of each domain.</param>
    /// <param name="cache">Folder for derived data.</param>
    /// <param name="log">Takes a line when the vocabulary has to be learnt.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public static async Task<ByteLevelBpe> OpenAsync(
        TextDataset dataset, int size, long bytesPerDomain, DirectoryInfo cache, Action<string> log, CancellationToken cancellationToken)
    {
        var code = typeof(ByteLevelBpe).Module.ModuleVersionId;
        var key = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{dataset.Reference.Root.Hex}/{size}/{bytesPerDomain}/{code}")));
        var path = Path.Combine(Directory.CreateDirectory(Path.Combine(cache.FullName, "vocabularies")).FullName, key[..32]);
        if (TryRead(path) is { } known)
            return known;
        log($"Training a byte-level BPE of {size} tokens.");
        var text = await dataset.SampleTrainingTextAsync(bytesPerDomain, cancellationToken).ConfigureAwait(false);
        var learnt = ByteLevelBpe.Train(text, size, cancellationToken);
        Write(path, learnt.Files);
        return ReadFiles(learnt.Files);
    }

    private static ByteLevelBpe? TryRead(string path)
    {
        try
        {
            var text = File.ReadAllBytes(path).AsSpan();
            if (text.Length <= SHA256.HashSizeInBytes
                || !SHA256.HashData(text[SHA256.HashSizeInBytes..]).AsSpan().SequenceEqual(text[..SHA256.HashSizeInBytes]))
                return null;
            var files = JsonSerializer.Deserialize<Dictionary<string, byte[]>>(text[SHA256.HashSizeInBytes..])!;
            return ReadFiles(files);
        }
        catch (Exception e) when (e is FileNotFoundException or JsonException or KeyNotFoundException or InvalidTokenizerException)
        {
            return null;
        }
    }

    private static ByteLevelBpe ReadFiles(IReadOnlyDictionary<string, byte[]> files) =>
        ByteLevelBpe.Read(files[TokenizerFiles.Tokenizer], files[TokenizerFiles.Configuration]);

    private static void Write(string path, IReadOnlyDictionary<string, byte[]> files)
    {
        var text = JsonSerializer.SerializeToUtf8Bytes(files);
        var temporary = $"{path}.{Guid.NewGuid():n}";
        File.WriteAllBytes(temporary, [.. SHA256.HashData(text), .. text]);
        File.Move(temporary, path, overwrite: true);
    }
}
