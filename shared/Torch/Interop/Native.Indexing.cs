using System.Runtime.InteropServices;

namespace TorchSharp;

// Reading and writing selected elements. The other side is native/indexing.cpp.
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern IntPtr et_index(IntPtr self, NativeIndex* indices, long count);
    [DllImport(Library)] internal static extern int et_index_put_(IntPtr self, NativeIndex* indices, long count, IntPtr value, bool accumulateValues);
    [DllImport(Library)] internal static extern int et_index_put_number_(IntPtr self, NativeIndex* indices, long count, Number value);
    [DllImport(Library)] internal static extern IntPtr et_index_select(IntPtr self, long dim, IntPtr index);
    [DllImport(Library)] internal static extern IntPtr et_index_add(IntPtr self, long dim, IntPtr index, IntPtr source, Number alpha);
    [DllImport(Library)] internal static extern int et_index_add_(IntPtr self, long dim, IntPtr index, IntPtr source, Number alpha);
    [DllImport(Library)] internal static extern IntPtr et_index_copy(IntPtr self, long dim, IntPtr index, IntPtr source);
    [DllImport(Library)] internal static extern int et_index_copy_(IntPtr self, long dim, IntPtr index, IntPtr source);
    [DllImport(Library)] internal static extern IntPtr et_index_fill(IntPtr self, long dim, IntPtr index, Number value);
    [DllImport(Library)] internal static extern int et_index_fill_(IntPtr self, long dim, IntPtr index, Number value);
    [DllImport(Library)] internal static extern IntPtr et_gather(IntPtr self, long dim, IntPtr index);
    [DllImport(Library)] internal static extern IntPtr et_scatter(IntPtr self, long dim, IntPtr index, IntPtr source);
    [DllImport(Library)] internal static extern int et_scatter_(IntPtr self, long dim, IntPtr index, IntPtr source);
    [DllImport(Library)] internal static extern IntPtr et_scatter_add(IntPtr self, long dim, IntPtr index, IntPtr source);
    [DllImport(Library)] internal static extern int et_scatter_add_(IntPtr self, long dim, IntPtr index, IntPtr source);
    [DllImport(Library)] internal static extern IntPtr et_select_scatter(IntPtr self, IntPtr source, long dim, long index);
    [DllImport(Library)] internal static extern IntPtr et_diagonal_scatter(IntPtr self, IntPtr source, long offset, long dim1, long dim2);
    [DllImport(Library)] internal static extern IntPtr et_masked_fill(IntPtr self, IntPtr mask, Number value);
    [DllImport(Library)] internal static extern int et_masked_fill_(IntPtr self, IntPtr mask, Number value);
    [DllImport(Library)] internal static extern IntPtr et_masked_scatter(IntPtr self, IntPtr mask, IntPtr source);
    [DllImport(Library)] internal static extern int et_masked_scatter_(IntPtr self, IntPtr mask, IntPtr source);
    [DllImport(Library)] internal static extern IntPtr et_masked_select(IntPtr self, IntPtr mask);
    [DllImport(Library)] internal static extern IntPtr et_take(IntPtr self, IntPtr index);
    [DllImport(Library)] internal static extern IntPtr et_take_along_dim(IntPtr self, IntPtr index, long dim, bool hasDim);
    [DllImport(Library)] internal static extern IntPtr et_where(IntPtr condition, IntPtr yes, IntPtr no);
    [DllImport(Library)] internal static extern int et_where_indices(IntPtr condition, TensorList* @out);
    [DllImport(Library)] internal static extern IntPtr et_nonzero(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_argwhere(IntPtr self);
}
