namespace TorchSharp;

public static partial class torch
{
    // Largest, smallest, and order statistics.
    public unsafe partial class Tensor
    {
        /// <summary>The largest element.</summary>
        public Tensor max() => Made(Native.et_max(Handle));

        /// <summary><see cref="maximum"/>.</summary>
        public Tensor max(Tensor other) => maximum(other);

        /// <summary>The largest element along one dimension and where it is.</summary>
        public (Tensor values, Tensor indexes) max(long dim, bool keepdim = false)
        {
            IntPtr values, indices;
            Changed(Native.et_max_dim(Handle, dim, keepdim, &values, &indices));
            return (new Tensor(values), new Tensor(indices));
        }

        /// <summary>The largest element over these dimensions.</summary>
        public Tensor amax(params long[] dims) => amax((ReadOnlySpan<long>)dims);

        /// <summary>The largest element over these dimensions.</summary>
        public Tensor amax(long[] dims, bool keepdim = false, Tensor? @out = null) =>
            amax((ReadOnlySpan<long>)dims, keepdim, @out);

        /// <summary>The largest element over these dimensions.</summary>
        public Tensor amax(ReadOnlySpan<long> dims, bool keepdim = false, Tensor? @out = null)
        {
            fixed (long* pointer = dims)
            {
                Tensor result = Made(Native.et_amax(Handle, pointer, dims.Length, keepdim));
                return @out is null ? result : Into(@out, result);
            }
        }

        /// <summary>Position of the largest element, counted through the whole tensor.</summary>
        public Tensor argmax() => Made(Native.et_argmax(Handle, 0, false, false));

        /// <summary>Position of the largest element along one dimension.</summary>
        public Tensor argmax(long dim, bool keepdim = false) => Made(Native.et_argmax(Handle, dim, true, keepdim));

        /// <summary>The smallest element.</summary>
        public Tensor min() => Made(Native.et_min(Handle));

        /// <summary><see cref="minimum"/>.</summary>
        public Tensor min(Tensor other) => minimum(other);

        /// <summary>The smallest element along one dimension and where it is.</summary>
        public (Tensor values, Tensor indexes) min(long dim, bool keepdim = false)
        {
            IntPtr values, indices;
            Changed(Native.et_min_dim(Handle, dim, keepdim, &values, &indices));
            return (new Tensor(values), new Tensor(indices));
        }

        /// <summary>The smallest element over these dimensions.</summary>
        public Tensor amin(params long[] dims) => amin((ReadOnlySpan<long>)dims);

        /// <summary>The smallest element over these dimensions.</summary>
        public Tensor amin(long[] dims, bool keepdim = false, Tensor? @out = null) =>
            amin((ReadOnlySpan<long>)dims, keepdim, @out);

        /// <summary>The smallest element over these dimensions.</summary>
        public Tensor amin(ReadOnlySpan<long> dims, bool keepdim = false, Tensor? @out = null)
        {
            fixed (long* pointer = dims)
            {
                Tensor result = Made(Native.et_amin(Handle, pointer, dims.Length, keepdim));
                return @out is null ? result : Into(@out, result);
            }
        }

        /// <summary>Position of the smallest element, counted through the whole tensor.</summary>
        public Tensor argmin() => Made(Native.et_argmin(Handle, 0, false, false));

        /// <summary>Position of the smallest element along one dimension.</summary>
        public Tensor argmin(long dim, bool keepdim = false) => Made(Native.et_argmin(Handle, dim, true, keepdim));

        /// <summary>The smallest and the largest element.</summary>
        public (Tensor min, Tensor max) aminmax(long? dim = null, bool keepdim = false)
        {
            IntPtr min, max;
            Changed(Native.et_aminmax(Handle, dim ?? 0, dim.HasValue, keepdim, &min, &max));
            return (new Tensor(min), new Tensor(max));
        }

        /// <summary>Whether every element is not zero.</summary>
        public Tensor all() => Made(Native.et_all(Handle));

        /// <summary>Whether every element is not zero, along one dimension.</summary>
        public Tensor all(long dim, bool keepdim = false) => Made(Native.et_all_dim(Handle, dim, keepdim));

        /// <summary>Whether some element is not zero.</summary>
        public Tensor any() => Made(Native.et_any(Handle));

        /// <summary>Whether some element is not zero, along one dimension.</summary>
        public Tensor any(long dim, bool keepdim = false) => Made(Native.et_any_dim(Handle, dim, keepdim));

        /// <summary>The largest element so far along one dimension and where it is.</summary>
        public (Tensor values, Tensor indexes) cummax(long dim)
        {
            IntPtr values, indices;
            Changed(Native.et_cummax(Handle, dim, &values, &indices));
            return (new Tensor(values), new Tensor(indices));
        }

        /// <summary>The smallest element so far along one dimension and where it is.</summary>
        public (Tensor values, Tensor indexes) cummin(long dim)
        {
            IntPtr values, indices;
            Changed(Native.et_cummin(Handle, dim, &values, &indices));
            return (new Tensor(values), new Tensor(indices));
        }

        /// <summary>The median; the lower one of two.</summary>
        public Tensor median() => Made(Native.et_median(Handle));

        /// <summary>The median of the elements that are numbers.</summary>
        public Tensor nanmedian() => Made(Native.et_nanmedian(Handle));

        /// <summary>The most frequent element along one dimension and where it is.</summary>
        public (Tensor values, Tensor indices) mode(long dim = -1L, bool keepdim = false)
        {
            IntPtr values, indices;
            Changed(Native.et_mode(Handle, dim, keepdim, &values, &indices));
            return (new Tensor(values), new Tensor(indices));
        }

        /// <summary>Quantiles along one dimension, interpolated linearly.</summary>
        public Tensor quantile(Tensor q, long dim = -1, bool keepdim = false) =>
            Made(Native.et_quantile(Handle, q.Handle, dim, keepdim), q);

        /// <summary>Quantiles of the elements that are numbers.</summary>
        public Tensor nanquantile(Tensor q, long dim = -1, bool keepdim = false) =>
            Made(Native.et_nanquantile(Handle, q.Handle, dim, keepdim), q);

        private static Tensor Into(Tensor target, Tensor result)
        {
            target.copy_(result);
            result.Dispose();
            return target;
        }
    }
}
