namespace TorchSharp;

// The methods of Tensor.Selection.cs as functions.
public static partial class torch
{
    /// <summary>Positions of the elements that are not zero, one row each.</summary>
    public static Tensor argwhere(Tensor input) => input.argwhere();

    /// <summary>The diagonal replaced by the source.</summary>
    public static Tensor diagonal_scatter(Tensor input, Tensor src, long offset = 0, long dim1 = 0, long dim2 = 1) =>
        input.diagonal_scatter(src, offset, dim1, dim2);

    /// <summary>result[i][j] = this[index[i][j]][j] for dim 0, and likewise for others.</summary>
    public static Tensor gather(Tensor input, long dim, Tensor index) => input.gather(dim, index);

    /// <summary>Adds alpha times each slice of the source to the slice that the index names.</summary>
    public static Tensor index_add(Tensor input, long dim, Tensor index, Tensor source, Scalar alpha) =>
        input.index_add(dim, index, source, alpha);

    /// <summary><see cref="Tensor.index_add"/>, in place.</summary>
    public static Tensor index_add_(Tensor input, long dim, Tensor index, Tensor source, Scalar alpha) =>
        input.index_add_(dim, index, source, alpha);

    /// <summary>Copies each slice of the source to the slice that the index names.</summary>
    public static Tensor index_copy(Tensor input, long dim, Tensor index, Tensor source) =>
        input.index_copy(dim, index, source);

    /// <summary><see cref="Tensor.index_copy"/>, in place.</summary>
    public static Tensor index_copy_(Tensor input, long dim, Tensor index, Tensor source) =>
        input.index_copy_(dim, index, source);

    /// <summary>Sets the slices that the index names to one number.</summary>
    public static Tensor index_fill(Tensor input, long dim, Tensor index, Scalar value) =>
        input.index_fill(dim, index, value);

    /// <summary><see cref="Tensor.index_fill"/>, in place.</summary>
    public static Tensor index_fill_(Tensor input, long dim, Tensor index, Scalar value) =>
        input.index_fill_(dim, index, value);

    /// <summary>The slices of one dimension that the index names, in its order.</summary>
    public static Tensor index_select(Tensor input, long dim, Tensor index) => input.index_select(dim, index);

    /// <summary>The elements where the mask is true, in one dimension.</summary>
    public static Tensor masked_select(Tensor input, Tensor mask) => input.masked_select(mask);

    /// <summary>A range of one dimension.</summary>
    public static Tensor narrow(Tensor input, long dim, long start, long length) =>
        input.narrow(dim, start, length);

    /// <summary>Positions of the elements that are not zero, one row each.</summary>
    public static Tensor nonzero(Tensor input) => input.nonzero();

    /// <summary>this[index[i][j]][j] = src[i][j] for dim 0, and likewise for others.</summary>
    public static Tensor scatter(Tensor input, long dim, Tensor index, Tensor src) =>
        input.scatter(dim, index, src);

    /// <summary><see cref="Tensor.scatter"/>, in place.</summary>
    public static Tensor scatter_(Tensor input, long dim, Tensor index, Tensor src) =>
        input.scatter_(dim, index, src);

    /// <summary>this[index[i][j]][j] += src[i][j] for dim 0, and likewise for others.</summary>
    public static Tensor scatter_add(Tensor input, long dim, Tensor index, Tensor src) =>
        input.scatter_add(dim, index, src);

    /// <summary><see cref="Tensor.scatter_add"/>, in place.</summary>
    public static Tensor scatter_add_(Tensor input, long dim, Tensor index, Tensor src) =>
        input.scatter_add_(dim, index, src);

    /// <summary>One slice of a dimension; the dimension goes.</summary>
    public static Tensor select(Tensor input, long dim, long index) => input.select(dim, index);

    /// <summary>One slice replaced by the source.</summary>
    public static Tensor select_scatter(Tensor input, Tensor src, long dim, long index) =>
        input.select_scatter(src, dim, index);

    /// <summary>The elements at these positions, counted through the whole tensor.</summary>
    public static Tensor take(Tensor input, Tensor index) => input.take(index);

    /// <summary>Elements along one dimension at the positions that argmax or argsort gave.</summary>
    public static Tensor take_along_dim(Tensor input, Tensor indices, long dim = 0) =>
        input.take_along_dim(indices, dim);
}
