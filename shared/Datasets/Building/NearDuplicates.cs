using System.Collections;
using System.Runtime.InteropServices;

namespace Espalier.Datasets.Building;

/// <summary>
/// Finds documents whose text is nearly that of an earlier one: candidates share a band of their <see cref="MinHash"/> signatures, and
/// are dropped where the signatures put their similarity at <see cref="Threshold"/> or more. The same for the same texts in the same
/// order, whatever the machine. On disk: 256 bytes of signature and 320 bytes of bands a document.
/// </summary>
internal sealed class NearDuplicates(string folder) : IDisposable
{
    /// <summary>Estimated similarity from which a document counts as a copy.</summary>
    public const double Threshold = 0.8;

    private const int SignatureBytes = MinHash.Values * sizeof(ushort);
    private const int MostLeaders = 16;

    private readonly ScratchFile _signatures = new(folder);
    private readonly HashOrder _bands = new(folder);

    /// <summary>Adds the next document.</summary>
    public void Add(int document, ushort[] signature)
    {
        _signatures.Append(MemoryMarshal.AsBytes(signature.AsSpan()));
        for (var band = 0; band < MinHash.Bands; band++)
            _bands.Add(new HashRecord(MinHash.Band(signature, band), 0, document));
    }

    /// <summary>Settles the fate of copies among the documents that are kept so far.</summary>
    public void Settle(DocumentSpool spool, CancellationToken cancellationToken)
    {
        _signatures.Flush();
        var isCopy = new BitArray(spool.Count);
        var leaders = new List<ushort[]>();
        foreach (var group in _bands.Groups())
        {
            cancellationToken.ThrowIfCancellationRequested();
            leaders.Clear();
            foreach (var document in group.Where(d => spool.FateOf(d) == Fate.Kept))
            {
                var signature = Read(document);
                if (leaders.Exists(leader => MinHash.Similarity(leader, signature) >= Threshold))
                    isCopy[document] = true;
                else if (leaders.Count < MostLeaders)
                    leaders.Add(signature);
            }
        }
        // Only now: whether a document leads must not depend on the order of the groups.
        foreach (var copy in Enumerable.Range(0, spool.Count).Where(document => isCopy[document]))
            spool.Settle(copy, Fate.NearDuplicate);
    }

    public void Dispose()
    {
        _signatures.Dispose();
        _bands.Dispose();
    }

    private ushort[] Read(int document)
    {
        var signature = new ushort[MinHash.Values];
        _signatures.ReadExactly((long)document * SignatureBytes, MemoryMarshal.AsBytes(signature.AsSpan()));
        return signature;
    }
}
