namespace TorchSharp;

public static partial class torch
{
    // Order, counting and searching.
    public unsafe partial class Tensor
    {
        /// <summary>The k largest or smallest elements along one dimension and where they are.</summary>
        public (Tensor values, Tensor indexes) topk(int k, int dim = -1, bool largest = true, bool sorted = true)
        {
            IntPtr values, indices;
            Changed(Native.et_topk(Handle, k, dim, largest, sorted, &values, &indices));
            return (new Tensor(values), new Tensor(indices));
        }

        /// <summary>The elements in order along one dimension and where they were; stable keeps the order of equal ones.</summary>
        public (Tensor Values, Tensor Indices) sort(long dim = -1, bool descending = false, bool stable = false)
        {
            IntPtr values, indices;
            Changed(Native.et_sort(Handle, dim, descending, stable, &values, &indices));
            return (new Tensor(values), new Tensor(indices));
        }

        /// <summary>The elements in order along the first dimension.</summary>
        public Tensor msort() => Made(Native.et_msort(Handle));

        /// <summary>The positions that would sort one dimension.</summary>
        public Tensor argsort(long dim = -1, bool descending = false) => Made(Native.et_argsort(Handle, dim, descending));

        /// <summary>Every element once; on request where each element went and how often it occurs.</summary>
        public (Tensor output, Tensor? inverse_indices, Tensor? counts) unique(bool sorted = true, bool return_inverse = false, bool return_counts = false, int? dim = null)
        {
            IntPtr values, inverse, counts;
            Changed(dim is { } axis
                ? Native.et_unique_dim(Handle, axis, sorted, return_inverse, return_counts, &values, &inverse, &counts)
                : Native.et_unique(Handle, sorted, return_inverse, return_counts, &values, &inverse, &counts));
            return (new Tensor(values), Asked(inverse, return_inverse), Asked(counts, return_counts));
        }

        /// <summary>Runs of equal elements as one; on request where each element went and how often it occurs.</summary>
        public (Tensor output, Tensor? inverse_indices, Tensor? counts) unique_consecutive(bool return_inverse = false, bool return_counts = false, int? dim = null)
        {
            IntPtr values, inverse, counts;
            Changed(Native.et_unique_consecutive(Handle, return_inverse, return_counts, dim ?? 0, dim.HasValue, &values, &inverse, &counts));
            return (new Tensor(values), Asked(inverse, return_inverse), Asked(counts, return_counts));
        }

        /// <summary>How often each number 0, 1, 2, ... occurs, or the sum of its weights.</summary>
        public Tensor bincount(Tensor? weights, long minlength = 0) =>
            Made(Native.et_bincount(Handle, Of(weights), minlength), weights);

        /// <summary>How many elements fall into each of the bins; min = max = 0 takes the range of the elements.</summary>
        public Tensor histc(long bins = 100, long min = 0, long max = 0) => Made(Native.et_histc(Handle, bins, min, max));

        /// <summary>Which interval of the sorted boundaries each element falls into.</summary>
        public Tensor bucketize(Tensor boundaries, bool outInt32 = false, bool right = false) =>
            Made(Native.et_bucketize(Handle, boundaries.Handle, outInt32, right), boundaries);

        /// <summary>How many elements are not zero, over these dimensions or over all.</summary>
        public Tensor count_nonzero(long[]? dims = null)
        {
            fixed (long* pointer = dims)
                return Made(Native.et_count_nonzero(Handle, pointer, dims?.Length ?? 0));
        }

        // Native code always returns three tensors; the ones that were not asked for are empty.
        private static Tensor? Asked(IntPtr handle, bool wanted)
        {
            if (wanted)
                return new Tensor(handle);
            Native.et_free(handle);
            return null;
        }
    }
}
