using System.Numerics;
using System.Security.Cryptography;
using System.Text;

namespace Espalier.Surgery;

/// <summary>
/// Random numbers as a pure function of (seed, layer, tensor or purpose, iteration), so that a rerun gives the same
/// bytes whatever the order of the layers. The key's SHA-256 is the state of xoshiro256** (Blackman and Vigna, 2018).
/// </summary>
public sealed class KeyedRandom
{
    private ulong _a, _b, _c, _d;

    /// <summary>The stream of one key.</summary>
    public KeyedRandom(long seed, int layer, string purpose, int iteration = 0)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes(FormattableString.Invariant($"{seed}/{layer}/{purpose}/{iteration}")));
        _a = BitConverter.ToUInt64(hash, 0);
        _b = BitConverter.ToUInt64(hash, 8);
        _c = BitConverter.ToUInt64(hash, 16);
        _d = BitConverter.ToUInt64(hash, 24);
    }

    /// <summary>64 uniform bits.</summary>
    public ulong NextBits()
    {
        var result = BitOperations.RotateLeft(_b * 5, 7) * 9;
        var shifted = _b << 17;
        _c ^= _a;
        _d ^= _b;
        _b ^= _c;
        _a ^= _d;
        _c ^= shifted;
        _d = BitOperations.RotateLeft(_d, 45);
        return result;
    }

    /// <summary>Uniform in [0, 1).</summary>
    public double NextDouble() => (NextBits() >> 11) * (1.0 / (1UL << 53));

    /// <summary>Uniform in [0, <paramref name="count"/>).</summary>
    public int NextIndex(int count) => (int)(((UInt128)NextBits() * (ulong)count) >> 64);

    /// <summary>Uniform in [-<paramref name="limit"/>, <paramref name="limit"/>).</summary>
    public double NextSymmetric(double limit) => (2 * NextDouble() - 1) * limit;

    /// <summary>Standard normal, by Box and Muller.</summary>
    public double NextNormal() =>
        Math.Sqrt(-2 * Math.Log(1 - NextDouble())) * Math.Cos(2 * Math.PI * NextDouble());

    /// <summary><paramref name="count"/> different indices below <paramref name="total"/>, ascending.</summary>
    public int[] Sample(int total, int count)
    {
        var indices = Enumerable.Range(0, total).ToArray();
        for (var i = 0; i < count; i++)
        {
            var j = i + NextIndex(total - i);
            (indices[i], indices[j]) = (indices[j], indices[i]);
        }
        return [.. indices.Take(count).Order()];
    }
}
