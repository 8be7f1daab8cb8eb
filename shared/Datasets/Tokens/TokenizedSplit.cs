using System.Runtime.CompilerServices;
using System.Security.Cryptography;
using System.Text;
using Espalier.Tokenizers;

namespace Espalier.Datasets.Tokens;

/// <summary>
/// One split of a dataset in token ids: made once, kept in the cache folder under (dataset root, tokenizer digest, split,
/// domain), memory-mapped. A damaged or foreign cache file is made again.
/// </summary>
public sealed class TokenizedSplit : IDisposable
{
    // Documents are tokenised in groups of about this many characters: parallel within, in order between.
    private const int GroupCharacters = 4 << 20;

    private readonly List<TokenFile> _files = [];

    private TokenizedSplit(string split, string identity)
    {
        Split = split;
        Identity = identity;
    }

    /// <summary>Which split.</summary>
    public string Split { get; }

    /// <summary>Digest of (dataset root, tokenizer digest, tokens around documents, split): equal identities have equal ids.</summary>
    public string Identity { get; }

    /// <summary>The domains that have text, in ordinal order.</summary>
    public IReadOnlyList<TokenizedDomain> Domains { get; private set; } = [];

    /// <summary>Tokens of all domains, those around documents included.</summary>
    public long Tokens => Domains.Sum(d => d.Tokens);

    /// <summary>UTF-8 bytes of text of all domains.</summary>
    public long SizeBytes => Domains.Sum(d => d.SizeBytes);

    /// <summary>Opens the cached ids, making them first where they are missing.</summary>
    /// <param name="dataset">The text.</param>
    /// <param name="split">One of <see cref="DatasetSplits"/>.</param>
    /// <param name="tokenizer">Turns text into ids.</param>
    /// <param name="cache">Folder for derived data.</param>
    /// <param name="report">Takes progress in bytes of text; null for none.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    public static async Task<TokenizedSplit> OpenAsync(
        TextDataset dataset, string split, ITokenizer tokenizer, DirectoryInfo cache, ReportProgress? report, CancellationToken cancellationToken)
    {
        var identity = IdentityOf(dataset, split, tokenizer);
        var folder = Directory.CreateDirectory(Path.Combine(cache.FullName, "tokens", identity[..32])).FullName;
        var result = new TokenizedSplit(split, identity);
        try
        {
            var domains = new List<TokenizedDomain>();
            foreach (var domain in dataset.Domains(split))
            {
                var path = Path.Combine(folder, domain + ".tok");
                var key = SHA256.HashData(Encoding.UTF8.GetBytes($"{identity}/{domain}"));
                var file = TokenFile.TryOpen(path, key);
                if (file is null)
                {
                    var documents = TokenizeAsync(dataset, split, domain, tokenizer, report, cancellationToken);
                    await TokenFile.WriteAsync(path, key, tokenizer.VocabularySize, documents, cancellationToken).ConfigureAwait(false);
                    file = TokenFile.TryOpen(path, key)
                        ?? throw new IOException($"The tokens of {domain} written to {path} cannot be read back: check the disk.");
                }
                result._files.Add(file);
                domains.Add(new TokenizedDomain(domain, file));
            }
            result.Domains = domains;
            return result;
        }
        catch
        {
            result.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _files.ForEach(f => f.Dispose());

    private static string IdentityOf(TextDataset dataset, string split, ITokenizer tokenizer)
    {
        var begin = tokenizer.AddsBeginToken ? $"/begin {tokenizer.BeginTokenId}" : "";
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(
            $"{dataset.Reference.Root.Hex}/{tokenizer.Digest}/{tokenizer.EndTokenId}/{split}{begin}")));
    }

    private static async IAsyncEnumerable<(int[] Ids, int SizeBytes)> TokenizeAsync(
        TextDataset dataset, string split, string domain, ITokenizer tokenizer, ReportProgress? report,
        [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var total = dataset.TextBytes(split, domain);
        var done = 0L;
        await foreach (var group in GroupsAsync(dataset.ReadAsync(split, domain, cancellationToken)).ConfigureAwait(false))
        {
            var ids = new (int[], int SizeBytes)[group.Count];
            Parallel.For(0, group.Count, new ParallelOptions { CancellationToken = cancellationToken }, i =>
                ids[i] = (tokenizer.EncodeDocument(group[i].Text), group[i].SizeBytes()));
            foreach (var document in ids)
                yield return document;
            done += ids.Sum(d => (long)d.SizeBytes);
            report?.Invoke($"tokenising {domain}", done, total, "bytes");
        }
    }

    private static async IAsyncEnumerable<IReadOnlyList<Document>> GroupsAsync(IAsyncEnumerable<Document> documents)
    {
        var group = new List<Document>();
        var characters = 0L;
        await foreach (var document in documents.ConfigureAwait(false))
        {
            group.Add(document);
            characters += document.Text.Length;
            if (characters < GroupCharacters)
                continue;
            yield return group;
            group.Clear();
            characters = 0;
        }
        yield return group;
    }
}
