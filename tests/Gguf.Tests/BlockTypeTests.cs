using System.Runtime.InteropServices;
using Espalier.Contracts;
using Espalier.Gguf.Blocks;

namespace Espalier.Gguf.Tests;

/// <summary>Block types against ggml's own code, which reads what we write.</summary>
public sealed class BlockTypeTests
{
    private static readonly nint Ggml = NativeLibrary.Load(Path.Combine(
        AppContext.BaseDirectory, "runtimes", "linux-x64", "native", "avx2", "libggml-base.so"));

    private delegate void Dequantize(nint blocks, nint weights, long count);

    private delegate nuint Quantize(nint weights, nint blocks, long rows, long perRow, nint importance);

    [Theory]
    [InlineData("q4_0", "0040809191a2a2b3b3c4c4d5d5e6e6f7f7f8")]
    [InlineData("q8_0", "0830818991 99a1a9b1b9c0c8")]
    public void Encode_Ramp_GivesKnownBytes(string name, string expected)
    {
        var type = BlockType.Of(name);
        var block = new byte[type.BlockBytes];

        type.Encode([.. Enumerable.Range(0, 32).Select(i => i - 16f)], block);

        Convert.ToHexStringLower(block).ShouldStartWith(expected.Replace(" ", "", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("q8_0", "dequantize_row_q8_0")]
    [InlineData("q4_0", "dequantize_row_q4_0")]
    [InlineData("q4_k", "dequantize_row_q4_K")]
    [InlineData("q6_k", "dequantize_row_q6_K")]
    public void Decode_EveryKindOfBlock_IsWhatGgmlReads(string name, string function)
    {
        var type = BlockType.Of(name);
        foreach (var weights in Samples(type.BlockSize * 64))
        {
            var bytes = new byte[type.SizeOf(weights.Length)];
            type.EncodeAll(weights, bytes);
            var (ours, theirs) = (new float[weights.Length], new float[weights.Length]);

            type.DecodeAll(bytes, ours);
            GgmlDequantize(function, bytes, theirs);

            ours.ShouldBe(theirs);
        }
    }

    [Theory]
    [InlineData("q8_0", "quantize_q8_0")]
    [InlineData("q4_0", "quantize_q4_0")]
    [InlineData("q4_k", "quantize_q4_K")]
    [InlineData("q6_k", "quantize_q6_K")]
    public void Encode_Weights_LosesNoMoreThanGgml(string name, string function)
    {
        var type = BlockType.Of(name);
        foreach (var weights in Samples(type.BlockSize * 64).Take(2))
        {
            var (ours, theirs) = (new byte[type.SizeOf(weights.Length)], new byte[type.SizeOf(weights.Length)]);
            type.EncodeAll(weights, ours);
            GgmlQuantize(function, weights, theirs, type.BlockSize);

            var (error, reference) = (ErrorOf(type, weights, ours), ErrorOf(type, weights, theirs));

            error.ShouldBeLessThan(reference * 1.01, $"{name}: {error} against {reference}");
            reference.ShouldBeGreaterThan(0);
        }
    }

    [Theory]
    [InlineData("f16", 1e-3)]
    [InlineData("bf16", 8e-3)]
    [InlineData("f32", 0)]
    public void Decode_PlainTypes_AreNear(string name, double tolerance)
    {
        var type = BlockType.Of(name);
        var weights = Samples(4096).First();
        var bytes = new byte[type.SizeOf(weights.Length)];
        var read = new float[weights.Length];

        type.EncodeAll(weights, bytes);
        type.DecodeAll(bytes, read);

        weights.Zip(read).Max(p => Math.Abs(p.First - p.Second) / Math.Max(1e-4, Math.Abs(p.First))).ShouldBeLessThanOrEqualTo(tolerance);
    }

    [Fact]
    public void Of_UnknownName_NamesTheNearest() =>
        Should.Throw<UserInputException>(() => BlockType.Of("q4k")).Message.ShouldContain("'q4_k'");

    private static double ErrorOf(IBlockType type, float[] weights, byte[] blocks)
    {
        var read = new float[weights.Length];
        type.DecodeAll(blocks, read);
        return Math.Sqrt(weights.Zip(read).Sum(p => Math.Pow(p.First - p.Second, 2)) / weights.Length);
    }

    // Normal, skewed, constant, zero, one large, tiny.
    private static IEnumerable<float[]> Samples(int count)
    {
        var random = new Random(7);
        var normal = Enumerable.Range(0, count)
            .Select(_ => (float)(Math.Sqrt(-2 * Math.Log(1 - random.NextDouble())) * Math.Cos(2 * Math.PI * random.NextDouble()) * 0.02)).ToArray();
        yield return normal;
        yield return [.. normal.Select(w => w * w * 40 + 0.001f)];
        yield return [.. Enumerable.Repeat(0.5f, count)];
        yield return [.. Enumerable.Repeat(-0.5f, count)];
        yield return new float[count];
        yield return [.. normal.Select((w, i) => i % 97 == 0 ? 100 * w : w)];
        yield return [.. normal.Select(w => w * 1e-6f)];
    }

    private static unsafe void GgmlDequantize(string function, byte[] blocks, float[] weights)
    {
        var call = Marshal.GetDelegateForFunctionPointer<Dequantize>(NativeLibrary.GetExport(Ggml, function));
        fixed (byte* from = blocks)
        fixed (float* to = weights)
            call((nint)from, (nint)to, weights.Length);
    }

    private static unsafe void GgmlQuantize(string function, float[] weights, byte[] blocks, int perRow)
    {
        var call = Marshal.GetDelegateForFunctionPointer<Quantize>(NativeLibrary.GetExport(Ggml, function));
        fixed (float* from = weights)
        fixed (byte* to = blocks)
            call((nint)from, (nint)to, weights.Length / perRow, perRow, 0);
    }
}
