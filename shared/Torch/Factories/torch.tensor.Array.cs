using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace TorchSharp;

public static partial class torch
{
    // Tensors with the elements of an array or of memory, copied.
    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Memory<float> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<float>(rawArray.Span, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(float[,,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, float>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2), rawArray.GetLongLength(3)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(float[,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, float>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(float[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, float>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(float[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<float>(rawArray, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(float[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<float>(rawArray, [rawArray.LongLength], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Memory<double> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<double>(rawArray.Span, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(double[,,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, double>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2), rawArray.GetLongLength(3)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(double[,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, double>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(double[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, double>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(double[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<double>(rawArray, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(double[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<double>(rawArray, [rawArray.LongLength], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Memory<long> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<long>(rawArray.Span, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(long[,,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, long>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2), rawArray.GetLongLength(3)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(long[,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, long>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(long[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, long>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(long[] dataArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<long>(dataArray, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(long[] dataArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<long>(dataArray, [dataArray.LongLength], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Memory<int> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<int>(rawArray.Span, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(int[,,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, int>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2), rawArray.GetLongLength(3)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(int[,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, int>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(int[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, int>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(int[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<int>(rawArray, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(int[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<int>(rawArray, [rawArray.LongLength], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(int[] rawArray, long dim0, long dim1, long dim2, long dim3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<int>(rawArray, [dim0, dim1, dim2, dim3], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Memory<short> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<short>(rawArray.Span, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(short[,,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, short>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2), rawArray.GetLongLength(3)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(short[,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, short>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(short[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, short>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(short[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<short>(rawArray, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(short[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<short>(rawArray, [rawArray.LongLength], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Memory<byte> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<byte>(rawArray.Span, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(byte[,,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, byte>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2), rawArray.GetLongLength(3)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(byte[,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, byte>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(byte[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, byte>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(byte[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<byte>(rawArray, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(byte[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<byte>(rawArray, [rawArray.LongLength], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Memory<sbyte> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<sbyte>(rawArray.Span, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(sbyte[,,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, sbyte>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2), rawArray.GetLongLength(3)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(sbyte[,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, sbyte>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(sbyte[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, sbyte>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(sbyte[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<sbyte>(rawArray, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(sbyte[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<sbyte>(rawArray, [rawArray.LongLength], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(bool[,,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, bool>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2), rawArray.GetLongLength(3)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(bool[,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, bool>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(bool[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, bool>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(bool[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<bool>(rawArray, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(bool[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<bool>(rawArray, [rawArray.LongLength], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(BFloat16[,,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, BFloat16>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2), rawArray.GetLongLength(3)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(BFloat16[,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, BFloat16>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(BFloat16[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, BFloat16>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(BFloat16[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<BFloat16>(rawArray, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(BFloat16[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<BFloat16>(rawArray, [rawArray.LongLength], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Memory<BFloat16> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<BFloat16>(rawArray.Span, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Half[,,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, Half>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2), rawArray.GetLongLength(3)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Half[,,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, Half>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1), rawArray.GetLongLength(2)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Half[,] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory(MemoryMarshal.CreateReadOnlySpan(ref Unsafe.As<byte, Half>(ref MemoryMarshal.GetArrayDataReference(rawArray)), rawArray.Length), [rawArray.GetLongLength(0), rawArray.GetLongLength(1)], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Half[] rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<Half>(rawArray, dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Half[] rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<Half>(rawArray, [rawArray.LongLength], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(Memory<Half> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<Half>(rawArray.Span, dimensions, dtype, device, requires_grad, names);
}
