using System.Runtime.InteropServices;

namespace TorchSharp;

// Functions whose forward and backward are written in C#. The other side is native/function.cpp.
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern IntPtr* et_new_list(long count);
    [DllImport(Library)] internal static extern int et_apply_function(void* function, IntPtr* inputs, long count, delegate* unmanaged<void*, void*, TensorList*, int> forward, delegate* unmanaged<void*, void*, IntPtr*, long, IntPtr*, int> backward, delegate* unmanaged<void*, void> release, TensorList* outputs);
    [DllImport(Library)] internal static extern int et_save_for_backward(void* context, IntPtr* list, long count);
    [DllImport(Library)] internal static extern int et_saved_tensors(void* context, TensorList* @out);
    [DllImport(Library)] internal static extern int et_mark_dirty(void* context, IntPtr* list, long count);
    [DllImport(Library)] internal static extern int et_mark_non_differentiable(void* context, IntPtr* list, long count);
    [DllImport(Library)] internal static extern void et_set_materialize_grads(void* context, bool on);
}
