using System.Numerics;
using System.Text;

namespace Espalier.Datasets.Sampling;

/// <summary>Random numbers and orders as pure functions of a key: nothing to save, nothing to replay.</summary>
internal static class StatelessRandom
{
    /// <summary>FNV-1a, 64 bits, of the UTF-8 bytes.</summary>
    public static ulong Fnv1a(string text)
    {
        var hash = 0xCBF29CE484222325UL;
        foreach (var value in Encoding.UTF8.GetBytes(text))
            hash = (hash ^ value) * 0x100000001B3UL;
        return hash;
    }

    /// <summary>A well-mixed key from a seed, a name and a counter.</summary>
    public static ulong Key(long seed, string name, long counter = 0) =>
        Mix(Mix(Mix((ulong)seed) ^ Fnv1a(name)) ^ (ulong)counter);

    /// <summary>The finalizer of SplitMix64 (Steele, Lea, Flood, 2014) on the next state.</summary>
    public static ulong Mix(ulong state)
    {
        state += 0x9E3779B97F4A7C15;
        state = (state ^ (state >> 30)) * 0xBF58476D1CE4E5B9;
        state = (state ^ (state >> 27)) * 0x94D049BB133111EB;
        return state ^ (state >> 31);
    }

    /// <summary>A number in [0, bound).</summary>
    public static long Below(ulong key, long bound) => (long)((UInt128)Mix(key) * (ulong)bound >> 64);

    /// <summary>
    /// The image of <paramref name="index"/> under a permutation of [0, count) that the key chooses: a four-round Feistel
    /// network on the next even power of two, walked until it falls inside.
    /// </summary>
    public static long Permute(ulong key, long index, long count)
    {
        var half = Math.Max(1, (BitOperations.Log2((ulong)Math.Max(1, count - 1)) + 2) / 2);
        var mask = (1UL << half) - 1;
        var value = (ulong)index;
        do
        {
            var (left, right) = (value >> half, value & mask);
            for (var round = 0UL; round < 4; round++)
                (left, right) = (right, left ^ (Mix(key ^ Mix(right + (round << 56))) & mask));
            value = (left << half) | right;
        }
        while (value >= (ulong)count);
        return (long)value;
    }
}
