using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using Espalier.Datasets.Building;
using Espalier.Datasets.Sampling;

namespace Espalier.Datasets.Selection;

/// <summary>
/// A text as a vector without a model: words and pairs of words in a row, hashed into D places with a sign (feature hashing,
/// arXiv 0902.2206), of each place the root of its size with its sign, so that a word that is repeated often counts less. Sums have one
/// order on every processor, so that the vector, and what is chosen by it, is the same on all.
/// </summary>
internal static class TextFeatures
{
    /// <summary>Places D of a vector.</summary>
    public const int Size = 256;

    /// <summary>The vector (D) of a text; zero where it has no word.</summary>
    /// <param name="text">Clean text.</param>
    /// <param name="words">A list to work with.</param>
    public static float[] Of(string text, List<ulong> words)
    {
        WordHashes.Read(text, words);
        var vector = new float[Size];
        for (var i = 0; i < words.Count; i++)
        {
            Add(StatelessRandom.Mix(words[i]));
            if (i > 0)
                Add(StatelessRandom.Mix(StatelessRandom.Mix(words[i - 1]) ^ words[i]));
        }
        for (var i = 0; i < Size; i++)
            vector[i] = MathF.CopySign(MathF.Sqrt(MathF.Abs(vector[i])), vector[i]);
        return vector;

        void Add(ulong hash) => vector[hash % Size] += hash >> 63 == 0 ? 1 : -1;
    }

    /// <summary>Makes a vector's length 1, after taking another from it; a vector of zeros stays as it is.</summary>
    public static void Normalize(Span<float> vector, ReadOnlySpan<float> mean)
    {
        if (vector.IndexOfAnyExcept(0f) < 0)
            return;
        for (var i = 0; i < vector.Length; i++)
            vector[i] -= mean[i];
        var length = MathF.Sqrt(Dot(vector, vector));
        if (length == 0)
            return;
        for (var i = 0; i < vector.Length; i++)
            vector[i] /= length;
    }

    /// <summary>Product of two vectors, whose length is a multiple of 8; eight sums side by side, added up in order.</summary>
    public static float Dot(ReadOnlySpan<float> a, ReadOnlySpan<float> b)
    {
        var x = MemoryMarshal.Cast<float, Vector256<float>>(a);
        var y = MemoryMarshal.Cast<float, Vector256<float>>(b);
        var sums = Vector256<float>.Zero;
        for (var i = 0; i < x.Length; i++)
            sums += x[i] * y[i];
        var total = 0f;
        for (var i = 0; i < Vector256<float>.Count; i++)
            total += sums[i];
        return total;
    }
}
