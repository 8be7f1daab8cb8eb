namespace TorchSharp;

public static partial class torch
{
    // The same elements in another shape or order.
    public unsafe partial class Tensor
    {
        /// <summary>The same elements in another shape, without copying; -1 is worked out.</summary>
        public Tensor view(params long[] shape)
        {
            fixed (long* pointer = shape)
                return Made(Native.et_view(Handle, pointer, shape.Length));
        }

        /// <summary>The same elements in another shape; copies if it must; -1 is worked out.</summary>
        public Tensor reshape(params long[] shape)
        {
            fixed (long* pointer = shape)
                return Made(Native.et_reshape(Handle, pointer, shape.Length));
        }

        /// <summary>The tensor repeated this often along each dimension.</summary>
        public Tensor repeat(params long[] sizes)
        {
            fixed (long* pointer = sizes)
                return Made(Native.et_repeat(Handle, pointer, sizes.Length));
        }

        /// <summary>The order of elements reversed along these dimensions.</summary>
        public Tensor flip(params long[] dims)
        {
            fixed (long* pointer = dims)
                return Made(Native.et_flip(Handle, pointer, dims.Length));
        }

        /// <summary>The tensor as if repeated to this shape, without copying.</summary>
        public Tensor broadcast_to(params long[] shape)
        {
            fixed (long* pointer = shape)
                return Made(Native.et_broadcast_to(Handle, pointer, shape.Length));
        }

        /// <summary>The tensor repeated this often along each dimension.</summary>
        public Tensor tile(long[] reps)
        {
            fixed (long* pointer = reps)
                return Made(Native.et_tile(Handle, pointer, reps.Length));
        }

        /// <summary>The dimensions in another order.</summary>
        public Tensor permute(params long[] permutation)
        {
            fixed (long* pointer = permutation)
                return Made(Native.et_permute(Handle, pointer, permutation.Length));
        }

        /// <summary>The dimensions in another order.</summary>
        public Tensor permute(IEnumerable<long> permutation) => permute([.. permutation]);

        /// <summary>Dimensions of size 1 widened without copying; -1 keeps a size.</summary>
        public Tensor expand(params long[] sizes) => expand((ReadOnlySpan<long>)sizes);

        /// <summary>Dimensions of size 1 widened without copying; -1 keeps a size.</summary>
        public Tensor expand(long[] sizes, bool isImplicit = false) => expand((ReadOnlySpan<long>)sizes, isImplicit);

        /// <summary>Dimensions of size 1 widened without copying; -1 keeps a size.</summary>
        public Tensor expand(ReadOnlySpan<long> sizes, bool isImplicit = false)
        {
            fixed (long* pointer = sizes)
                return Made(Native.et_expand(Handle, pointer, sizes.Length, isImplicit));
        }

        /// <summary>Widened to the shape of another tensor.</summary>
        public Tensor expand_as(Tensor other) => expand(other.shape);

        /// <summary>Viewed in the shape of another tensor.</summary>
        public Tensor view_as(Tensor other) => view(other.shape);

        /// <summary>Dimensions start to end as one.</summary>
        public Tensor flatten(long start_dim = 0, long end_dim = -1) => Made(Native.et_flatten(Handle, start_dim, end_dim));

        /// <summary>One dimension as several.</summary>
        public Tensor unflatten(long dim, params long[] sizes)
        {
            fixed (long* pointer = sizes)
                return Made(Native.et_unflatten(Handle, dim, pointer, sizes.Length));
        }

        /// <summary>All dimensions as one.</summary>
        public Tensor ravel() => reshape(-1);

        /// <summary>The dimension of size 1 removed; all of them if none is named.</summary>
        public Tensor squeeze(long? dim = null) => Made(Native.et_squeeze(Handle, dim ?? 0, dim.HasValue));

        /// <summary><see cref="squeeze"/>, in place.</summary>
        public Tensor squeeze_(long? dim = null) => Changed(Native.et_squeeze_(Handle, dim ?? 0, dim.HasValue));

        /// <summary>A new dimension of size 1.</summary>
        public Tensor unsqueeze(long dim) => Made(Native.et_unsqueeze(Handle, dim));

        /// <summary><see cref="unsqueeze"/>, in place.</summary>
        public Tensor unsqueeze_(long dim) => Changed(Native.et_unsqueeze_(Handle, dim));

        /// <summary>Rows and columns of a matrix exchanged.</summary>
        public Tensor t() => Made(Native.et_t(Handle));

        /// <summary>The dimensions in reverse order.</summary>
        public Tensor T => permute([.. Enumerable.Range(0, (int)Dimensions).Select(dim => Dimensions - 1 - dim)]);

        /// <summary>The last two dimensions exchanged.</summary>
        public Tensor mT => transpose(-2, -1);

        /// <summary>Two dimensions exchanged.</summary>
        public Tensor transpose(long dim0, long dim1) => Made(Native.et_transpose(Handle, dim0, dim1));

        /// <summary><see cref="transpose"/>, in place.</summary>
        public Tensor transpose_(long dim0, long dim1) => Changed(Native.et_transpose_(Handle, dim0, dim1));

        /// <summary>Two dimensions exchanged.</summary>
        public Tensor swapdims(long dim0, long dim1) => transpose(dim0, dim1);

        /// <summary>Two dimensions exchanged.</summary>
        public Tensor swapaxes(long dim0, long dim1) => transpose(dim0, dim1);

        /// <summary>Dimensions moved to other places; the others keep their order.</summary>
        public Tensor movedim(long[] source, long[] destination)
        {
            fixed (long* from = source, to = destination)
                return Made(Native.et_movedim(Handle, from, source.Length, to, destination.Length));
        }

        /// <summary>Dimensions moved to other places; the others keep their order.</summary>
        public Tensor moveaxis(long[] source, long[] destination) => movedim(source, destination);

        /// <summary>The storage seen with these sizes and strides.</summary>
        public Tensor as_strided(long[] size, long[] strides, long storageOffset = 0L)
        {
            fixed (long* sizes = size, steps = strides)
                return Made(Native.et_as_strided(Handle, sizes, steps, size.Length, storageOffset));
        }

        /// <summary>Windows of this size along one dimension, which becomes the last.</summary>
        public Tensor unfold(long dimension, long size, long step) => Made(Native.et_unfold(Handle, dimension, size, step));

        /// <summary>Columns in reverse order.</summary>
        public Tensor fliplr() => flip(1);

        /// <summary>Rows in reverse order.</summary>
        public Tensor flipud() => flip(0);

        /// <summary>Elements moved along one dimension; those that leave come in at the other end.</summary>
        public Tensor roll(long shifts, long? dims = null) => dims is { } dim ? roll([shifts], [dim]) : roll([shifts]);

        /// <summary>Elements moved through the flattened tensor.</summary>
        public Tensor roll(long[] shifts) => roll((ReadOnlySpan<long>)shifts);

        /// <summary>Elements moved along these dimensions.</summary>
        public Tensor roll(long[] shifts, long[] dims) => roll((ReadOnlySpan<long>)shifts, dims);

        /// <summary>Elements moved along these dimensions; those that leave come in at the other end.</summary>
        public Tensor roll(ReadOnlySpan<long> shifts, ReadOnlySpan<long> dims = default)
        {
            fixed (long* steps = shifts, along = dims)
                return Made(Native.et_roll(Handle, steps, shifts.Length, along, dims.Length));
        }

        /// <summary>Turned by 90 degrees in the plane of two dimensions.</summary>
        public Tensor rot90(long k = 1, (long, long)? dims = null) =>
            Made(Native.et_rot90(Handle, k, dims?.Item1 ?? 0, dims?.Item2 ?? 1));

        /// <summary>Each element repeated; without a dimension the tensor is flattened first.</summary>
        public Tensor repeat_interleave(long repeats, long? dim = null, long? output_size = null) =>
            Made(Native.et_repeat_interleave(Handle, repeats, dim ?? 0, dim.HasValue, output_size ?? 0, output_size.HasValue));

        /// <summary>Each element repeated as often as its number says.</summary>
        public Tensor repeat_interleave(Tensor repeats, long? dim = null, long? output_size = null) =>
            Made(Native.et_repeat_interleave_by(Handle, repeats.Handle, dim ?? 0, dim.HasValue, output_size ?? 0, output_size.HasValue), repeats);

        /// <summary>The diagonal of two dimensions, as the last one.</summary>
        public Tensor diagonal(long offset = 0L, long dim1 = 0L, long dim2 = 1L) =>
            Made(Native.et_diagonal(Handle, offset, dim1, dim2));

        /// <summary>The diagonal of a matrix, or the matrix with this diagonal.</summary>
        public Tensor diag(long diagonal = 0) => Made(Native.et_diag(Handle, diagonal));

        /// <summary>Matrices with these diagonals.</summary>
        public Tensor diag_embed(long offset = 0L, long dim1 = -2L, long dim2 = -1L) =>
            Made(Native.et_diag_embed(Handle, offset, dim1, dim2));

        /// <summary>The matrix with these elements on its diagonal.</summary>
        public Tensor diagflat(long offset = 0) => Made(Native.et_diagflat(Handle, offset));

        /// <summary>The lower triangle, zero elsewhere.</summary>
        public Tensor tril(long diagonal = 0) => Made(Native.et_tril(Handle, diagonal));

        /// <summary><see cref="tril"/>, in place.</summary>
        public Tensor tril_(long diagonal = 0) => Changed(Native.et_tril_(Handle, diagonal));

        /// <summary>The upper triangle, zero elsewhere.</summary>
        public Tensor triu(long diagonal = 0) => Made(Native.et_triu(Handle, diagonal));

        /// <summary><see cref="triu"/>, in place.</summary>
        public Tensor triu_(long diagonal = 0) => Changed(Native.et_triu_(Handle, diagonal));
    }
}
