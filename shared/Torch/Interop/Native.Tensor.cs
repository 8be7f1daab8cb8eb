using System.Runtime.InteropServices;

namespace TorchSharp;

// Facts about a tensor, its memory, and conversions. The other side is native/tensor.cpp.
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern long et_dim(IntPtr self);
    [DllImport(Library)] internal static extern long et_numel(IntPtr self);
    [DllImport(Library)] internal static extern long et_element_size(IntPtr self);
    [DllImport(Library)] internal static extern int et_dtype(IntPtr self);
    [DllImport(Library)] internal static extern int et_device_type(IntPtr self);
    [DllImport(Library)] internal static extern int et_device_index(IntPtr self);
    [DllImport(Library)] internal static extern long et_storage_offset(IntPtr self);
    [DllImport(Library)] internal static extern bool et_is_contiguous(IntPtr self);
    [DllImport(Library)] internal static extern bool et_is_leaf(IntPtr self);
    [DllImport(Library)] internal static extern bool et_requires_grad(IntPtr self);
    [DllImport(Library)] internal static extern bool et_is_sparse(IntPtr self);
    [DllImport(Library)] internal static extern bool et_is_pinned(IntPtr self);
    [DllImport(Library)] internal static extern void et_sizes(IntPtr self, long* @out);
    [DllImport(Library)] internal static extern void et_strides(IntPtr self, long* @out);
    [DllImport(Library)] internal static extern int et_size(IntPtr self, long dim, long* @out);
    [DllImport(Library)] internal static extern void* et_data(IntPtr self);
    [DllImport(Library)] internal static extern int et_item(IntPtr self, Number* @out);
    [DllImport(Library)] internal static extern IntPtr et_alias(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_handle_of_same(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_clone(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_contiguous(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_pin_memory(IntPtr self);
    [DllImport(Library)] internal static extern IntPtr et_detach(IntPtr self);
    [DllImport(Library)] internal static extern int et_detach_(IntPtr self);
    [DllImport(Library)] internal static extern int et_set_requires_grad(IntPtr self, bool value);
    [DllImport(Library)] internal static extern int et_retain_grad(IntPtr self);
    [DllImport(Library)] internal static extern int et_grad(IntPtr self, IntPtr* @out);
    [DllImport(Library)] internal static extern int et_set_grad(IntPtr self, IntPtr gradient);
    [DllImport(Library)] internal static extern IntPtr et_to_type(IntPtr self, int type, bool copy, bool nonBlocking);
    [DllImport(Library)] internal static extern IntPtr et_to_device(IntPtr self, int device, int index, bool copy, bool nonBlocking);
    [DllImport(Library)] internal static extern IntPtr et_to_type_and_device(IntPtr self, int type, int device, int index, bool copy, bool nonBlocking);
    [DllImport(Library)] internal static extern int et_copy_(IntPtr self, IntPtr source, bool nonBlocking);
    [DllImport(Library)] internal static extern int et_set_(IntPtr self, IntPtr source);
    [DllImport(Library)] internal static extern int et_fill_(IntPtr self, Number value);
    [DllImport(Library)] internal static extern int et_zero_(IntPtr self);
}
