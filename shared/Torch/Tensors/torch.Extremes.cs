namespace TorchSharp;

// The methods of Tensor.Extremes.cs as functions.
public static partial class torch
{
    /// <summary>Whether every element is not zero.</summary>
    public static Tensor all(Tensor input) => input.all();

    /// <summary>Whether every element is not zero, along one dimension.</summary>
    public static Tensor all(Tensor input, long dim, bool keepdim = false) => input.all(dim, keepdim);

    /// <summary>The largest element over these dimensions.</summary>
    public static Tensor amax(Tensor input, ReadOnlySpan<long> dims, bool keepdim = false, Tensor? @out = null) =>
        input.amax(dims, keepdim, @out);

    /// <summary>The largest element over these dimensions.</summary>
    public static Tensor amax(Tensor input, long[] dims) => input.amax(dims);

    /// <summary>The largest element over these dimensions.</summary>
    public static Tensor amax(Tensor input, long[] dims, bool keepdim = false, Tensor? @out = null) =>
        input.amax(dims, keepdim, @out);

    /// <summary>The smallest element over these dimensions.</summary>
    public static Tensor amin(Tensor input, ReadOnlySpan<long> dims, bool keepdim = false, Tensor? @out = null) =>
        input.amin(dims, keepdim, @out);

    /// <summary>The smallest element over these dimensions.</summary>
    public static Tensor amin(Tensor input, long[] dims, bool keepdim = false, Tensor? @out = null) =>
        input.amin(dims, keepdim, @out);

    /// <summary>The smallest and the largest element.</summary>
    public static (Tensor min, Tensor max) aminmax(Tensor input, long? dim = null, bool keepdim = false) =>
        input.aminmax(dim, keepdim);

    /// <summary>Whether some element is not zero.</summary>
    public static Tensor any(Tensor input) => input.any();

    /// <summary>Whether some element is not zero, along one dimension.</summary>
    public static Tensor any(Tensor input, long dim, bool keepdim = false) => input.any(dim, keepdim);

    /// <summary>Position of the largest element, counted through the whole tensor.</summary>
    public static Tensor argmax(Tensor input) => input.argmax();

    /// <summary>Position of the largest element along one dimension.</summary>
    public static Tensor argmax(Tensor input, long dim, bool keepdim = false) => input.argmax(dim, keepdim);

    /// <summary>Position of the smallest element, counted through the whole tensor.</summary>
    public static Tensor argmin(Tensor input) => input.argmin();

    /// <summary>Position of the smallest element along one dimension.</summary>
    public static Tensor argmin(Tensor input, long dim, bool keepdim = false) => input.argmin(dim, keepdim);

    /// <summary>The largest element so far along one dimension and where it is.</summary>
    public static (Tensor values, Tensor indices) cummax(Tensor input, long dim) => input.cummax(dim);

    /// <summary>The smallest element so far along one dimension and where it is.</summary>
    public static (Tensor values, Tensor indices) cummin(Tensor input, long dim) => input.cummin(dim);

    /// <summary>The largest element.</summary>
    public static Tensor max(Tensor input) => input.max();

    /// <summary><see cref="Tensor.maximum"/>.</summary>
    public static Tensor max(Tensor input, Tensor other) => input.max(other);

    /// <summary>The largest element along one dimension and where it is.</summary>
    public static (Tensor values, Tensor indexes) max(Tensor input, long dim, bool keepdim = false) =>
        input.max(dim, keepdim);

    /// <summary>The median; the lower one of two.</summary>
    public static Tensor median(Tensor input) => input.median();

    /// <summary>The smallest element.</summary>
    public static Tensor min(Tensor input) => input.min();

    /// <summary><see cref="Tensor.minimum"/>.</summary>
    public static Tensor min(Tensor input, Tensor other) => input.min(other);

    /// <summary>The smallest element along one dimension and where it is.</summary>
    public static (Tensor values, Tensor indexes) min(Tensor input, long dim, bool keepdim = false) =>
        input.min(dim, keepdim);

    /// <summary>The most frequent element along one dimension and where it is.</summary>
    public static (Tensor values, Tensor indices) mode(Tensor input, long dim = -1, bool keepdim = false) =>
        input.mode(dim, keepdim);

    /// <summary>The median of the elements that are numbers.</summary>
    public static Tensor nanmedian(Tensor input) => input.nanmedian();

    /// <summary>Quantiles of the elements that are numbers.</summary>
    public static Tensor nanquantile(Tensor input, Tensor q, long dim = -1, bool keepdim = false) =>
        input.nanquantile(q, dim, keepdim);

    /// <summary>Quantiles along one dimension, interpolated linearly.</summary>
    public static Tensor quantile(Tensor input, Tensor q, long dim = -1, bool keepdim = false) =>
        input.quantile(q, dim, keepdim);
}
