namespace TorchSharp;

public static partial class torch
{
    // Reading and writing selected elements by name.
    public unsafe partial class Tensor
    {
        /// <summary>The slices of one dimension that the index names, in its order.</summary>
        public Tensor index_select(long dim, Tensor index) => Made(Native.et_index_select(Handle, dim, index.Handle), index);

        /// <summary>One slice of a dimension; the dimension goes.</summary>
        public Tensor select(long dim, long index) => Made(Native.et_select(Handle, dim, index));

        /// <summary>From start, before finish, every step-th slice of one dimension.</summary>
        public Tensor slice(long dim, long start, long finish, long step) =>
            Made(Native.et_slice(Handle, dim, start, finish, step));

        /// <summary>A range of one dimension.</summary>
        public Tensor narrow(long dim, long start, long length) => Made(Native.et_narrow(Handle, dim, start, length));

        /// <summary>The elements at these positions, counted through the whole tensor.</summary>
        public Tensor take(Tensor index) => Made(Native.et_take(Handle, index.Handle), index);

        /// <summary>The elements at these positions, counted through the whole tensor.</summary>
        public Tensor take_along_dim(Tensor indices) =>
            Made(Native.et_take_along_dim(Handle, indices.Handle, 0, false), indices);

        /// <summary>Elements along one dimension at the positions that argmax or argsort gave.</summary>
        public Tensor take_along_dim(Tensor indices, long dim) =>
            Made(Native.et_take_along_dim(Handle, indices.Handle, dim, true), indices);

        /// <summary>result[i][j] = this[index[i][j]][j] for dim 0, and likewise for others.</summary>
        public Tensor gather(long dim, Tensor index) => Made(Native.et_gather(Handle, dim, index.Handle), index);

        /// <summary>this[index[i][j]][j] = src[i][j] for dim 0, and likewise for others.</summary>
        public Tensor scatter(long dim, Tensor index, Tensor src) =>
            Made(Native.et_scatter(Handle, dim, index.Handle, src.Handle), index, src);

        /// <summary><see cref="scatter"/>, in place.</summary>
        public Tensor scatter_(long dim, Tensor index, Tensor src) =>
            Changed(Native.et_scatter_(Handle, dim, index.Handle, src.Handle), index, src);

        /// <summary>this[index[i][j]][j] += src[i][j] for dim 0, and likewise for others.</summary>
        public Tensor scatter_add(long dim, Tensor index, Tensor src) =>
            Made(Native.et_scatter_add(Handle, dim, index.Handle, src.Handle), index, src);

        /// <summary><see cref="scatter_add"/>, in place.</summary>
        public Tensor scatter_add_(long dim, Tensor index, Tensor src) =>
            Changed(Native.et_scatter_add_(Handle, dim, index.Handle, src.Handle), index, src);

        /// <summary>Adds alpha times each slice of the source to the slice that the index names.</summary>
        public Tensor index_add(long dim, Tensor index, Tensor source, Scalar alpha) =>
            Made(Native.et_index_add(Handle, dim, index.Handle, source.Handle, alpha.Number), index, source);

        /// <summary><see cref="index_add"/>, in place.</summary>
        public Tensor index_add_(long dim, Tensor index, Tensor source, Scalar alpha) =>
            Changed(Native.et_index_add_(Handle, dim, index.Handle, source.Handle, alpha.Number), index, source);

        /// <summary>Copies each slice of the source to the slice that the index names.</summary>
        public Tensor index_copy(long dim, Tensor index, Tensor source) =>
            Made(Native.et_index_copy(Handle, dim, index.Handle, source.Handle), index, source);

        /// <summary><see cref="index_copy"/>, in place.</summary>
        public Tensor index_copy_(long dim, Tensor index, Tensor source) =>
            Changed(Native.et_index_copy_(Handle, dim, index.Handle, source.Handle), index, source);

        /// <summary>Sets the slices that the index names to one number.</summary>
        public Tensor index_fill(long dim, Tensor index, Scalar value) =>
            Made(Native.et_index_fill(Handle, dim, index.Handle, value.Number), index);

        /// <summary><see cref="index_fill"/>, in place.</summary>
        public Tensor index_fill_(long dim, Tensor index, Scalar value) =>
            Changed(Native.et_index_fill_(Handle, dim, index.Handle, value.Number), index);

        /// <summary>One slice replaced by the source.</summary>
        public Tensor select_scatter(Tensor src, long dim, long index) =>
            Made(Native.et_select_scatter(Handle, src.Handle, dim, index), src);

        /// <summary>The diagonal replaced by the source.</summary>
        public Tensor diagonal_scatter(Tensor src, long offset = 0, long dim1 = 0, long dim2 = 1) =>
            Made(Native.et_diagonal_scatter(Handle, src.Handle, offset, dim1, dim2), src);

        /// <summary>One number where the mask is true.</summary>
        public Tensor masked_fill(Tensor mask, Scalar value) =>
            Made(Native.et_masked_fill(Handle, mask.Handle, value.Number), mask);

        /// <summary><see cref="masked_fill"/>, in place.</summary>
        public Tensor masked_fill_(Tensor mask, Scalar value) =>
            Changed(Native.et_masked_fill_(Handle, mask.Handle, value.Number), mask);

        /// <summary>The next element of value wherever the mask is true.</summary>
        public Tensor masked_scatter(Tensor mask, Tensor value) =>
            Made(Native.et_masked_scatter(Handle, mask.Handle, value.Handle), mask, value);

        /// <summary><see cref="masked_scatter"/>, in place.</summary>
        public Tensor masked_scatter_(Tensor mask, Tensor value) =>
            Changed(Native.et_masked_scatter_(Handle, mask.Handle, value.Handle), mask, value);

        /// <summary>The elements where the mask is true, in one dimension.</summary>
        public Tensor masked_select(Tensor mask) => Made(Native.et_masked_select(Handle, mask.Handle), mask);

        /// <summary>This where the condition is true, else y.</summary>
        public Tensor where(Tensor condition, Tensor y) =>
            Made(Native.et_where(condition.Handle, Handle, y.Handle), condition, y);

        /// <summary>Positions of the elements that are not zero, one row each.</summary>
        public Tensor nonzero() => Made(Native.et_nonzero(Handle));

        /// <summary>Positions of the elements that are not zero, one row each.</summary>
        public Tensor argwhere() => Made(Native.et_argwhere(Handle));
    }
}
