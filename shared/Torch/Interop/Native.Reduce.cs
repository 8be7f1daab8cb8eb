using System.Runtime.InteropServices;

namespace TorchSharp;

// Reductions, sorting, counting and searching. The other side is native/reduce.cpp.
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern IntPtr et_sum(IntPtr self, int type);
    [DllImport(Library)] internal static extern IntPtr et_sum_dims(IntPtr self, long* dims, long count, bool keepdim, int type);
    [DllImport(Library)] internal static extern IntPtr et_mean(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_mean_dims(IntPtr self, long* dims, long count, bool keepdim, int type);
    [DllImport(Library)] internal static extern IntPtr et_nansum(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_nanmean(IntPtr self, long dim, bool hasDim, bool keepdim, int type);
    [DllImport(Library)] internal static extern IntPtr et_prod(IntPtr self, int type);
    [DllImport(Library)] internal static extern IntPtr et_prod_dim(IntPtr self, long dim, bool keepdim, int type);
    [DllImport(Library)] internal static extern IntPtr et_std(IntPtr self, bool unbiased);
    [DllImport(Library)] internal static extern IntPtr et_std_dims(IntPtr self, long* dims, long count, bool unbiased, bool keepdim);
    [DllImport(Library)] internal static extern int et_std_mean(IntPtr self, bool unbiased, IntPtr* first, IntPtr* second);
    [DllImport(Library)] internal static extern int et_std_mean_dims(IntPtr self, long* dims, long count, bool unbiased, bool keepdim, IntPtr* first, IntPtr* second);
    [DllImport(Library)] internal static extern IntPtr et_var(IntPtr self, bool unbiased);
    [DllImport(Library)] internal static extern IntPtr et_var_dims(IntPtr self, long* dims, long count, bool unbiased, bool keepdim);
    [DllImport(Library)] internal static extern int et_var_mean(IntPtr self, bool unbiased, IntPtr* first, IntPtr* second);
    [DllImport(Library)] internal static extern int et_var_mean_dims(IntPtr self, long* dims, long count, bool unbiased, bool keepdim, IntPtr* first, IntPtr* second);
    [DllImport(Library)] internal static extern IntPtr et_max(IntPtr self);
    [DllImport(Library)] internal static extern int et_max_dim(IntPtr self, long dim, bool keepdim, IntPtr* values, IntPtr* indices);
    [DllImport(Library)] internal static extern IntPtr et_amax(IntPtr self, long* dims, long count, bool keepdim);
    [DllImport(Library)] internal static extern IntPtr et_argmax(IntPtr self, long dim, bool hasDim, bool keepdim);
    [DllImport(Library)] internal static extern IntPtr et_min(IntPtr self);
    [DllImport(Library)] internal static extern int et_min_dim(IntPtr self, long dim, bool keepdim, IntPtr* values, IntPtr* indices);
    [DllImport(Library)] internal static extern IntPtr et_amin(IntPtr self, long* dims, long count, bool keepdim);
    [DllImport(Library)] internal static extern IntPtr et_argmin(IntPtr self, long dim, bool hasDim, bool keepdim);
    [DllImport(Library)] internal static extern int et_aminmax(IntPtr self, long dim, bool hasDim, bool keepdim, IntPtr* min, IntPtr* max);
    [DllImport(Library)] internal static extern IntPtr et_all(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_all_dim(IntPtr self, long dim, bool keepdim);
    [DllImport(Library)] internal static extern IntPtr et_any(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_any_dim(IntPtr self, long dim, bool keepdim);
    [DllImport(Library)] internal static extern IntPtr et_norm(IntPtr self, double p);
    [DllImport(Library)] internal static extern IntPtr et_norm_dim(IntPtr self, long dim, bool keepdim, double p);
    [DllImport(Library)] internal static extern IntPtr et_dist(IntPtr self, IntPtr other, double p);
    [DllImport(Library)] internal static extern IntPtr et_renorm(IntPtr self, double p, long dim, double maxnorm);
    [DllImport(Library)] internal static extern IntPtr et_logsumexp(IntPtr self, long dim, bool keepdim);
    [DllImport(Library)] internal static extern IntPtr et_cumsum(IntPtr self, long dim, int type);
    [DllImport(Library)] internal static extern IntPtr et_cumprod(IntPtr self, long dim, int type);
    [DllImport(Library)] internal static extern IntPtr et_logcumsumexp(IntPtr self, long dim);
    [DllImport(Library)] internal static extern int et_cummax(IntPtr self, long dim, IntPtr* values, IntPtr* indices);
    [DllImport(Library)] internal static extern int et_cummin(IntPtr self, long dim, IntPtr* values, IntPtr* indices);
    [DllImport(Library)] internal static extern IntPtr et_diff(IntPtr self, long n, long dim, IntPtr prepend, IntPtr append);
    [DllImport(Library)] internal static extern IntPtr et_median(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_nanmedian(IntPtr self);
    [DllImport(Library)] internal static extern int et_mode(IntPtr self, long dim, bool keepdim, IntPtr* values, IntPtr* indices);
    [DllImport(Library)] internal static extern IntPtr et_quantile(IntPtr self, IntPtr q, long dim, bool keepdim);
    [DllImport(Library)] internal static extern IntPtr et_nanquantile(IntPtr self, IntPtr q, long dim, bool keepdim);
    [DllImport(Library)] internal static extern IntPtr et_count_nonzero(IntPtr self, long* dims, long count);
    [DllImport(Library)] internal static extern int et_kthvalue(IntPtr self, long k, long dim, bool keepdim, IntPtr* values, IntPtr* indices);
    [DllImport(Library)] internal static extern int et_topk(IntPtr self, long k, long dim, bool largest, bool sorted, IntPtr* values, IntPtr* indices);
    [DllImport(Library)] internal static extern int et_sort(IntPtr self, long dim, bool descending, bool stable, IntPtr* values, IntPtr* indices);
    [DllImport(Library)] internal static extern IntPtr et_msort(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_argsort(IntPtr self, long dim, bool descending);
    [DllImport(Library)] internal static extern int et_unique(IntPtr self, bool sorted, bool inverse, bool counts, IntPtr* values, IntPtr* inverseOut, IntPtr* countsOut);
    [DllImport(Library)] internal static extern int et_unique_dim(IntPtr self, long dim, bool sorted, bool inverse, bool counts, IntPtr* values, IntPtr* inverseOut, IntPtr* countsOut);
    [DllImport(Library)] internal static extern int et_unique_consecutive(IntPtr self, bool inverse, bool counts, long dim, bool hasDim, IntPtr* values, IntPtr* inverseOut, IntPtr* countsOut);
    [DllImport(Library)] internal static extern IntPtr et_searchsorted(IntPtr sequence, IntPtr values, bool int32, bool right, IntPtr sorter);
    [DllImport(Library)] internal static extern IntPtr et_bucketize(IntPtr self, IntPtr boundaries, bool int32, bool right);
    [DllImport(Library)] internal static extern IntPtr et_bincount(IntPtr self, IntPtr weights, long minlength);
    [DllImport(Library)] internal static extern IntPtr et_histc(IntPtr self, long bins, double min, double max);
}
