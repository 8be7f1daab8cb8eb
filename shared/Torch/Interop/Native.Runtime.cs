using System.Runtime.InteropServices;

namespace TorchSharp;

// Errors, lifetime of handles, threads, versions and devices. The other side is native/runtime.cpp.
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern byte* et_last_error();
    [DllImport(Library)] internal static extern void et_set_error(byte* message);
    [DllImport(Library)] internal static extern void et_free(IntPtr tensor);
    [DllImport(Library)] internal static extern void et_free_list(IntPtr* items);
    [DllImport(Library)] internal static extern long et_live_count();
    [DllImport(Library)] internal static extern byte* et_version();
    [DllImport(Library)] internal static extern byte* et_cpu_capability();
    [DllImport(Library)] internal static extern byte* et_build_info();
    [DllImport(Library)] internal static extern int et_get_num_threads();
    [DllImport(Library)] internal static extern int et_set_num_threads(int count);
    [DllImport(Library)] internal static extern int et_get_num_interop_threads();
    [DllImport(Library)] internal static extern int et_set_num_interop_threads(int count);
    [DllImport(Library)] internal static extern int et_set_default_dtype(int type);
    [DllImport(Library)] internal static extern bool et_cuda_is_available();
    [DllImport(Library)] internal static extern bool et_cudnn_is_available();
    [DllImport(Library)] internal static extern int et_cuda_device_count();
    [DllImport(Library)] internal static extern int et_cuda_synchronize(int index);
}
