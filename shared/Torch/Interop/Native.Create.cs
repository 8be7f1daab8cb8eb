using System.Runtime.InteropServices;

namespace TorchSharp;

// Tensors made from sizes, numbers and memory. The other side is native/create.cpp.
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern IntPtr et_empty(long* size, long rank, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_zeros(long* size, long rank, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_ones(long* size, long rank, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_empty_like(IntPtr self, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_zeros_like(IntPtr self, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_ones_like(IntPtr self, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_rand_like(IntPtr self, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_randn_like(IntPtr self, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_full(long* size, long rank, Number value, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_full_like(IntPtr self, Number value, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_scalar_tensor(Number value, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_arange(Number start, Number stop, Number step, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_linspace(double start, double stop, long steps, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_logspace(double start, double stop, long steps, double @base, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_eye(long rows, long columns, int type, int device, int index, bool requiresGrad);
    [DllImport(Library)] internal static extern IntPtr et_tril_indices(long rows, long columns, long offset, int type, int device, int index);
    [DllImport(Library)] internal static extern IntPtr et_triu_indices(long rows, long columns, long offset, int type, int device, int index);
    [DllImport(Library)] internal static extern IntPtr et_from_memory(void* data, long* size, long rank, int type);
    [DllImport(Library)] internal static extern IntPtr et_wrap_memory(void* data, long* size, long rank, int type, delegate* unmanaged<void*, void> release, void* context);
}
