using System.Numerics;
using Espalier.Datasets.Sampling;

namespace Espalier.Datasets.Building;

/// <summary>
/// MinHash (Broder, 1997): the share of equal values in two signatures estimates the Jaccard similarity of the two sets of shingles, which
/// are five words in a row (of a shorter text: all its words). Value i is the smallest a_i x + b_i mod 2^32 over the hashes x of the
/// shingles, of which 16 bits are kept. Signatures are cut into 16 bands of 8 for locality-sensitive hashing: two texts of similarity s
/// have an equal band with probability 1 - (1 - s^8)^16, which is 0.95 at 0.8, 0.06 at 0.5.
/// </summary>
internal static class MinHash
{
    /// <summary>Values of a signature.</summary>
    public const int Values = 128;

    /// <summary>Bands of a signature.</summary>
    public const int Bands = 16;

    /// <summary>Words of a shingle.</summary>
    public const int ShingleWords = 5;

    private const long Seed = 20_221_208;
    private static readonly uint[] Factors = [.. Enumerable.Range(0, Values).Select(i => (uint)StatelessRandom.Key(Seed, "factor", i) | 1)];
    private static readonly uint[] Offsets = [.. Enumerable.Range(0, Values).Select(i => (uint)StatelessRandom.Key(Seed, "offset", i))];

    /// <summary>The signature of a text.</summary>
    /// <param name="text">Clean text.</param>
    /// <param name="words">A list to work with.</param>
    public static ushort[] Of(string text, List<ulong> words)
    {
        WordHashes.Read(text, words);
        Span<uint> least = stackalloc uint[Values];
        least.Fill(uint.MaxValue);
        if (words.Count == 0)
            Lower(least, (uint)StatelessRandom.Mix(StatelessRandom.Fnv1a(text)));
        var shingles = Math.Max(words.Count == 0 ? 0 : 1, words.Count - ShingleWords + 1);
        for (var start = 0; start < shingles; start++)
        {
            var hash = 0UL;
            for (var i = start; i < Math.Min(start + ShingleWords, words.Count); i++)
                hash = StatelessRandom.Mix(hash ^ words[i]);
            Lower(least, (uint)hash);
        }
        var signature = new ushort[Values];
        for (var i = 0; i < Values; i++)
            signature[i] = (ushort)least[i];
        return signature;
    }

    /// <summary>Estimate of the similarity of two texts.</summary>
    public static double Similarity(ReadOnlySpan<ushort> one, ReadOnlySpan<ushort> other)
    {
        var equal = 0;
        for (var i = 0; i < Values; i++)
            equal += one[i] == other[i] ? 1 : 0;
        return (double)equal / Values;
    }

    /// <summary>A hash of one band.</summary>
    public static ulong Band(ReadOnlySpan<ushort> signature, int band)
    {
        const int Rows = Values / Bands;
        var hash = (ulong)band;
        foreach (var value in signature.Slice(band * Rows, Rows))
            hash = StatelessRandom.Mix(hash ^ value);
        return hash;
    }

    private static void Lower(Span<uint> least, uint shingle)
    {
        var value = new Vector<uint>(shingle);
        for (var i = 0; i < Values; i += Vector<uint>.Count)
        {
            var hashes = new Vector<uint>(Factors, i) * value + new Vector<uint>(Offsets, i);
            Vector.Min(new Vector<uint>(least[i..]), hashes).CopyTo(least[i..]);
        }
    }
}
