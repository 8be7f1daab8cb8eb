using System.Runtime.InteropServices;

namespace TorchSharp;

// Gradients. The other side is native/autograd.cpp.
internal static unsafe partial class Native
{
    [DllImport(Library)] internal static extern bool et_grad_enabled();
    [DllImport(Library)] internal static extern void et_set_grad_enabled(bool on);
    [DllImport(Library)] internal static extern bool et_inference_enabled();
    [DllImport(Library)] internal static extern void* et_inference_enter(bool on);
    [DllImport(Library)] internal static extern void et_inference_leave(void* guard);
    [DllImport(Library)] internal static extern int et_backward(IntPtr* roots, long count, IntPtr* gradients, long gradientCount, bool retainGraph, bool createGraph, IntPtr* inputs, long inputCount);
    [DllImport(Library)] internal static extern int et_gradients(IntPtr* outputs, long count, IntPtr* inputs, long inputCount, IntPtr* gradients, long gradientCount, bool retainGraph, bool createGraph, bool allowUnused, TensorList* @out);
}
