using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Espalier.Contracts;
using Espalier.Datasets.Sources;

namespace Espalier.Datasets.Building;

/// <summary>
/// Brings documents into a spool: cleaned, empty ones left out, with what finds duplicates. Documents are worked on in groups, in parallel
/// within a group, so that memory holds one group and the result is that of one after another.
/// </summary>
internal sealed class TextIntake(DocumentSpool spool, string folder, Deduplication deduplicate) : IDisposable
{
    private const int GroupCharacters = 4 << 20;

    private readonly HashOrder? _texts = deduplicate == Deduplication.None ? null : new HashOrder(folder);
    private readonly NearDuplicates? _near = deduplicate == Deduplication.Near ? new NearDuplicates(folder) : null;

    /// <summary>Adds the documents of a domain; returns their numbers.</summary>
    /// <param name="text">The documents.</param>
    /// <param name="domain">The domain's name in the dataset.</param>
    /// <param name="report">Takes the bytes read so far.</param>
    /// <param name="cancellationToken">Stops the work.</param>
    /// <exception cref="UserInputException">There is no text, or the source is wrong.</exception>
    public async Task<Range> AddAsync(DomainText text, string domain, Action<long> report, CancellationToken cancellationToken)
    {
        var first = spool.Count;
        var group = new List<Document>();
        var (characters, bytes) = (0L, 0L);
        await foreach (var document in text.Documents.WithCancellation(cancellationToken).ConfigureAwait(false))
        {
            group.Add(document);
            characters += document.Text.Length;
            if (characters >= GroupCharacters)
                Flush();
        }
        Flush();
        return spool.Count > first ? first..spool.Count : throw new UserInputException(text.WhenEmpty);

        void Flush()
        {
            foreach (var prepared in Prepare(group, domain, cancellationToken))
            {
                bytes += prepared.Text.Length;
                Add(prepared);
            }
            report(bytes);
            group.Clear();
            characters = 0;
        }
    }

    /// <summary>Settles which documents are duplicates.</summary>
    public void SettleDuplicates(CancellationToken cancellationToken)
    {
        spool.Complete();
        foreach (var group in _texts?.Groups() ?? [])
        {
            foreach (var document in group.Skip(1))
                spool.Settle(document, Fate.Duplicate);
        }
        _near?.Settle(spool, cancellationToken);
    }

    public void Dispose()
    {
        _texts?.Dispose();
        _near?.Dispose();
    }

    private IEnumerable<Prepared> Prepare(List<Document> group, string domain, CancellationToken cancellationToken)
    {
        var prepared = new Prepared?[group.Count];
        Parallel.For(0, group.Count, new ParallelOptions { CancellationToken = cancellationToken }, () => new List<ulong>(), (i, _, words) =>
        {
            var text = TextCleaning.Clean(group[i].Text);
            if (text.Length > 0)
            {
                var split = group[i].Split ?? SplitRule.Of(domain, group[i].Id);
                prepared[i] = Prepared.Of(group[i].Id, text, split, _near is null ? null : MinHash.Of(text, words));
            }
            return words;
        }, _ => { });
        return prepared.OfType<Prepared>();
    }

    private void Add(Prepared document)
    {
        var number = spool.Add(document.Id, document.Text, document.Split);
        _texts?.Add(new HashRecord(document.Hash, document.SecondHash, number));
        if (document.Signature is { } signature)
            _near!.Add(number, signature);
    }

    /// <summary>A document with all that is computed of it alone.</summary>
    private sealed record Prepared(byte[] Id, byte[] Text, string Split, ulong Hash, ulong SecondHash, ushort[]? Signature)
    {
        public static Prepared Of(string id, string text, string split, ushort[]? signature)
        {
            var bytes = Encoding.UTF8.GetBytes(text);
            Span<byte> hash = stackalloc byte[SHA256.HashSizeInBytes];
            SHA256.HashData(bytes, hash);
            return new Prepared(
                Encoding.UTF8.GetBytes(id), bytes, split,
                BinaryPrimitives.ReadUInt64LittleEndian(hash), BinaryPrimitives.ReadUInt64LittleEndian(hash[8..]), signature);
        }
    }
}
