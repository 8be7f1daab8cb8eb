namespace TorchSharp;

public static partial class torch
{
    // Sums, means and norms.
    public unsafe partial class Tensor
    {
        /// <summary>Sum of all elements.</summary>
        public Tensor sum(ScalarType? type = null) => Made(Native.et_sum(Handle, TypeOfWhole(type)));

        /// <summary>Sum over one dimension.</summary>
        public Tensor sum(long dim, bool keepdim = false, ScalarType? type = null) => sum([dim], keepdim, type);

        /// <summary>Sum over two dimensions.</summary>
        public Tensor sum(long dim0, long dim1, bool keepdim = false, ScalarType? type = null) =>
            sum([dim0, dim1], keepdim, type);

        /// <summary>Sum over three dimensions.</summary>
        public Tensor sum(long dim0, long dim1, long dim2, bool keepdim = false, ScalarType? type = null) =>
            sum([dim0, dim1, dim2], keepdim, type);

        /// <summary>Sum over these dimensions.</summary>
        public Tensor sum(long[] dim, bool keepdim = false, ScalarType? type = null) =>
            sum((ReadOnlySpan<long>)dim, keepdim, type);

        /// <summary>Sum over these dimensions.</summary>
        public Tensor sum(ReadOnlySpan<long> dim, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* pointer = dim)
                return Made(Native.et_sum_dims(Handle, pointer, dim.Length, keepdim, TypeOrNone(type)));
        }

        /// <summary>Mean of all elements.</summary>
        public Tensor mean() => Made(Native.et_mean(Handle));

        /// <summary>Mean over these dimensions.</summary>
        public Tensor mean(long[] dimensions, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* pointer = dimensions)
                return Made(Native.et_mean_dims(Handle, pointer, dimensions.Length, keepdim, TypeOrNone(type)));
        }

        /// <summary>Sum of all elements that are numbers.</summary>
        public Tensor nansum() => Made(Native.et_nansum(Handle));

        /// <summary>Mean of the elements that are numbers.</summary>
        public Tensor nanmean(int? dim = null, bool keepdim = false, ScalarType? dtype = null) =>
            Made(Native.et_nanmean(Handle, dim ?? 0, dim.HasValue, keepdim, TypeOrNone(dtype)));

        /// <summary>Product of all elements.</summary>
        public Tensor prod(ScalarType? type = null) => Made(Native.et_prod(Handle, TypeOfWhole(type)));

        /// <summary>Product over one dimension.</summary>
        public Tensor prod(long dim, bool keepdim = false, ScalarType? type = null) =>
            Made(Native.et_prod_dim(Handle, dim, keepdim, TypeOrNone(type)));

        /// <summary>Standard deviation of all elements; unbiased divides by n - 1.</summary>
        public Tensor std(bool unbiased = true) => Made(Native.et_std(Handle, unbiased));

        /// <summary>Standard deviation over one dimension.</summary>
        public Tensor std(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            std([dim], unbiased, keepdim, type);

        /// <summary>Standard deviation over two dimensions.</summary>
        public Tensor std((long, long) dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            std([dim.Item1, dim.Item2], unbiased, keepdim, type);

        /// <summary>Standard deviation over these dimensions.</summary>
        public Tensor std(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            std((ReadOnlySpan<long>)dimensions, unbiased, keepdim, type);

        /// <summary>Standard deviation over these dimensions.</summary>
        public Tensor std(ReadOnlySpan<long> dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* pointer = dimensions)
            {
                Tensor result = Made(Native.et_std_dims(Handle, pointer, dimensions.Length, unbiased, keepdim));
                return type is { } wanted && wanted != result.dtype ? result.to_type(wanted, disposeAfter: true) : result;
            }
        }

        /// <summary>Standard deviation and mean of all elements.</summary>
        public (Tensor std, Tensor mean) std_mean(bool unbiased = true)
        {
            IntPtr spread, mean;
            Changed(Native.et_std_mean(Handle, unbiased, &spread, &mean));
            return (new Tensor(spread), new Tensor(mean));
        }

        /// <summary>Standard deviation and mean over one dimension.</summary>
        public (Tensor std, Tensor mean) std_mean(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null)
        {
            IntPtr spread, mean;
            Changed(Native.et_std_mean_dims(Handle, &dim, 1, unbiased, keepdim, &spread, &mean));
            return (new Tensor(spread), new Tensor(mean));
        }

        /// <summary>Variance of all elements; unbiased divides by n - 1.</summary>
        public Tensor var(bool unbiased = true) => Made(Native.et_var(Handle, unbiased));

        /// <summary>Variance over one dimension.</summary>
        public Tensor var(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            var([dim], unbiased, keepdim, type);

        /// <summary>Variance over two dimensions.</summary>
        public Tensor var((long, long) dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            var([dim.Item1, dim.Item2], unbiased, keepdim, type);

        /// <summary>Variance over these dimensions.</summary>
        public Tensor var(long[] dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null) =>
            var((ReadOnlySpan<long>)dimensions, unbiased, keepdim, type);

        /// <summary>Variance over these dimensions.</summary>
        public Tensor var(ReadOnlySpan<long> dimensions, bool unbiased = true, bool keepdim = false, ScalarType? type = null)
        {
            fixed (long* pointer = dimensions)
            {
                Tensor result = Made(Native.et_var_dims(Handle, pointer, dimensions.Length, unbiased, keepdim));
                return type is { } wanted && wanted != result.dtype ? result.to_type(wanted, disposeAfter: true) : result;
            }
        }

        /// <summary>Variance and mean of all elements.</summary>
        public (Tensor @var, Tensor mean) var_mean(bool unbiased = true)
        {
            IntPtr spread, mean;
            Changed(Native.et_var_mean(Handle, unbiased, &spread, &mean));
            return (new Tensor(spread), new Tensor(mean));
        }

        /// <summary>Variance and mean over one dimension.</summary>
        public (Tensor @var, Tensor mean) var_mean(long dim, bool unbiased = true, bool keepdim = false, ScalarType? type = null)
        {
            IntPtr spread, mean;
            Changed(Native.et_var_mean_dims(Handle, &dim, 1, unbiased, keepdim, &spread, &mean));
            return (new Tensor(spread), new Tensor(mean));
        }

        /// <summary>Norm of order p of all elements.</summary>
        public Tensor norm(float p = 2.0f) => Made(Native.et_norm(Handle, p));

        /// <summary>Norm of order p over one dimension.</summary>
        public Tensor norm(int dim, bool keepdim = false, float p = 2.0f) =>
            Made(Native.et_norm_dim(Handle, dim, keepdim, p));

        /// <summary>Norm of the difference.</summary>
        public Tensor dist(Tensor other, float p = 2.0f) => Made(Native.et_dist(Handle, other.Handle, p), other);

        /// <summary>Slices whose norm is above maxnorm scaled down to it.</summary>
        public Tensor renorm(float p, long dim, float maxnorm) => Made(Native.et_renorm(Handle, p, dim, maxnorm));

        /// <summary>log(sum(exp(x))) over one dimension, without overflow.</summary>
        public Tensor logsumexp(long dim, bool keepdim = false) => Made(Native.et_logsumexp(Handle, dim, keepdim));

        /// <summary>Running sums along one dimension.</summary>
        public Tensor cumsum(long dim, ScalarType? type = null) => Made(Native.et_cumsum(Handle, dim, TypeOrNone(type)));

        /// <summary>Running products along one dimension.</summary>
        public Tensor cumprod(long dim, ScalarType? type = null) => Made(Native.et_cumprod(Handle, dim, TypeOrNone(type)));

        /// <summary>Running log(sum(exp(x))) along one dimension.</summary>
        public Tensor logcumsumexp(long dim) => Made(Native.et_logcumsumexp(Handle, dim));

        /// <summary>Differences of neighbours along one dimension, n times.</summary>
        public Tensor diff(long n = 1, long dim = -1, Tensor? prepend = null, Tensor? append = null) =>
            Made(Native.et_diff(Handle, n, dim, Of(prepend), Of(append)), prepend, append);

        private static int TypeOrNone(ScalarType? type) => type is { } given ? (int)given : -1;

        // C# takes the literal 0 in sum(0) for ScalarType.Byte, the first enumerator, and not for a dimension.
        private static int TypeOfWhole(ScalarType? type) =>
            type == ScalarType.Byte
                ? throw new ArgumentException("a whole sum or product as Byte is refused, because sum(0) means it too; for dimension 0 write dim: 0")
                : TypeOrNone(type);
    }
}
