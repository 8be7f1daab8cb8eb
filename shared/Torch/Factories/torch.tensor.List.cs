namespace TorchSharp;

public static partial class torch
{
    // Tensors with the elements of a list, copied.
    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<float> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<float>(SpanOf(rawArray), dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<float> rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<float>(SpanOf(rawArray), [rawArray.Count], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<float> rawArray, long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<float>(SpanOf(rawArray), [rows, columns], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<float> rawArray, long dim0, long dim1, long dim2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<float>(SpanOf(rawArray), [dim0, dim1, dim2], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<float> rawArray, long dim0, long dim1, long dim2, long dim3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<float>(SpanOf(rawArray), [dim0, dim1, dim2, dim3], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<double> rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<double>(SpanOf(rawArray), [rawArray.Count], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<double> rawArray, long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<double>(SpanOf(rawArray), [rows, columns], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<double> rawArray, long dim0, long dim1, long dim2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<double>(SpanOf(rawArray), [dim0, dim1, dim2], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<double> rawArray, long dim0, long dim1, long dim2, long dim3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<double>(SpanOf(rawArray), [dim0, dim1, dim2, dim3], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<long> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<long>(SpanOf(rawArray), dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<long> rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<long>(SpanOf(rawArray), [rawArray.Count], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<long> rawArray, long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<long>(SpanOf(rawArray), [rows, columns], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<long> rawArray, long dim0, long dim1, long dim2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<long>(SpanOf(rawArray), [dim0, dim1, dim2], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<long> rawArray, long dim0, long dim1, long dim2, long dim3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<long>(SpanOf(rawArray), [dim0, dim1, dim2, dim3], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<int> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<int>(SpanOf(rawArray), dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<int> rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<int>(SpanOf(rawArray), [rawArray.Count], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<int> rawArray, long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<int>(SpanOf(rawArray), [rows, columns], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<int> rawArray, long dim0, long dim1, long dim2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<int>(SpanOf(rawArray), [dim0, dim1, dim2], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<short> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<short>(SpanOf(rawArray), dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<short> rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<short>(SpanOf(rawArray), [rawArray.Count], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<short> rawArray, long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<short>(SpanOf(rawArray), [rows, columns], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<short> rawArray, long dim0, long dim1, long dim2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<short>(SpanOf(rawArray), [dim0, dim1, dim2], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<short> rawArray, long dim0, long dim1, long dim2, long dim3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<short>(SpanOf(rawArray), [dim0, dim1, dim2, dim3], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<byte> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<byte>(SpanOf(rawArray), dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<byte> rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<byte>(SpanOf(rawArray), [rawArray.Count], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<byte> rawArray, long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<byte>(SpanOf(rawArray), [rows, columns], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<byte> rawArray, long dim0, long dim1, long dim2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<byte>(SpanOf(rawArray), [dim0, dim1, dim2], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<byte> rawArray, long dim0, long dim1, long dim2, long dim3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<byte>(SpanOf(rawArray), [dim0, dim1, dim2, dim3], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<sbyte> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<sbyte>(SpanOf(rawArray), dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<sbyte> rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<sbyte>(SpanOf(rawArray), [rawArray.Count], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<sbyte> rawArray, long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<sbyte>(SpanOf(rawArray), [rows, columns], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<sbyte> rawArray, long dim0, long dim1, long dim2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<sbyte>(SpanOf(rawArray), [dim0, dim1, dim2], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<sbyte> rawArray, long dim0, long dim1, long dim2, long dim3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<sbyte>(SpanOf(rawArray), [dim0, dim1, dim2, dim3], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<bool> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<bool>(SpanOf(rawArray), dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<bool> rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<bool>(SpanOf(rawArray), [rawArray.Count], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<bool> rawArray, long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<bool>(SpanOf(rawArray), [rows, columns], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<bool> rawArray, long dim0, long dim1, long dim2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<bool>(SpanOf(rawArray), [dim0, dim1, dim2], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<bool> rawArray, long dim0, long dim1, long dim2, long dim3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<bool>(SpanOf(rawArray), [dim0, dim1, dim2, dim3], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<BFloat16> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<BFloat16>(SpanOf(rawArray), dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<BFloat16> rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<BFloat16>(SpanOf(rawArray), [rawArray.Count], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<BFloat16> rawArray, long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<BFloat16>(SpanOf(rawArray), [rows, columns], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<BFloat16> rawArray, long dim0, long dim1, long dim2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<BFloat16>(SpanOf(rawArray), [dim0, dim1, dim2], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<BFloat16> rawArray, long dim0, long dim1, long dim2, long dim3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<BFloat16>(SpanOf(rawArray), [dim0, dim1, dim2, dim3], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<Half> rawArray, ReadOnlySpan<long> dimensions, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<Half>(SpanOf(rawArray), dimensions, dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<Half> rawArray, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<Half>(SpanOf(rawArray), [rawArray.Count], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<Half> rawArray, long rows, long columns, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<Half>(SpanOf(rawArray), [rows, columns], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<Half> rawArray, long dim0, long dim1, long dim2, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<Half>(SpanOf(rawArray), [dim0, dim1, dim2], dtype, device, requires_grad, names);

    /// <summary>A tensor with these elements; their type stays unless another one is given.</summary>
    public static Tensor tensor(IList<Half> rawArray, long dim0, long dim1, long dim2, long dim3, ScalarType? dtype = null, Device? device = null, bool requires_grad = false, string[]? names = null) =>
        FromMemory<Half>(SpanOf(rawArray), [dim0, dim1, dim2, dim3], dtype, device, requires_grad, names);
}
