using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using static TorchSharp.torch;

namespace Espalier.Modeling;

/// <summary>Independent random streams: one per (seed, name), whatever the order in which they are used.</summary>
public static class RandomStream
{
    /// <summary>A CPU generator for the stream <paramref name="name"/>.</summary>
    public static Generator For(long seed, string name)
    {
        var generator = new Generator(0, CPU);
        generator.manual_seed(SeedOf(seed, name));
        return generator;
    }

    /// <summary>The stream's own seed, at least 0.</summary>
    public static long SeedOf(long seed, string name)
    {
        var hash = SHA256.HashData(Encoding.UTF8.GetBytes($"{seed}/{name}"));
        return BinaryPrimitives.ReadInt64LittleEndian(hash) & long.MaxValue;
    }
}
