using System.Runtime.InteropServices;
using TorchSharp;

namespace Espalier.Torch;

/// <summary>
/// What the tensor engine of this process is: facts that decide whether two runs can give the same bytes, and the
/// few settings that must be made before the first tensor.
/// </summary>
public static class TorchRuntime
{
    private static readonly Lock Gate = new();
    private static bool _initialized;

    /// <summary>The BLAS kernel in the environment, or <c>auto</c> where the library chooses by itself.</summary>
    public static string BlasKernel => BlasKernelChoice.Current ?? "auto";

    /// <summary>Threads that one operation may use.</summary>
    public static int Threads
    {
        get
        {
            Initialize();
            return torch.get_num_threads();
        }
    }

    /// <summary>
    /// Loads the engine, which takes about half a second the first time. Without this call it is loaded by the first
    /// tensor operation, with the same choices.
    /// </summary>
    /// <param name="threads">Threads that one operation may use; null leaves <see cref="ThreadChoice"/>.</param>
    public static void Initialize(int? threads = null)
    {
        lock (Gate)
        {
            if (!_initialized)
            {
                PrepareEnvironment();
                torch.InitializeDeviceType(DeviceType.CPU);
                _initialized = true;
            }
        }
        if (threads is { } count)
            torch.set_num_threads(count);
    }

    // Native libraries read these variables once, when they are loaded.
    internal static void PrepareEnvironment()
    {
        BlasKernelChoice.Apply();
        ThreadChoice.Apply();
        AllocatorChoice.Apply();
    }

    /// <summary>Gives memory that freed tensors left behind back to the operating system: for the end of a long piece of work.</summary>
    public static void ReleaseFreeMemory() => AllocatorChoice.Trim();

    /// <summary>
    /// Names everything that may change the last bit of a result: engine and version, device type, vector
    /// instructions, BLAS kernel, fused kernels, number of threads.
    /// </summary>
    public static string NumericsClass
    {
        get
        {
            Initialize();
            string device = torch.cuda.is_available() ? "cuda" : "cpu";
            return $"{EngineVersion};{device};{CpuCapability};blas={BlasKernel};kernels={Kernels.FusedKernels.Name};threads={torch.get_num_threads()}";
        }
    }

    /// <summary>Tensors that exist now, in all threads.</summary>
    public static long LiveTensorCount => torch.Tensor.TotalCount;

#if LIBTORCH_BINDING
    /// <summary>The engine and its version, for example <c>libtorch-1.13.1</c>.</summary>
    public static unsafe string EngineVersion => "libtorch-" + Native.Text(Native.et_version());

    /// <summary>Handles that native code gave out and that are not freed yet; equals the live tensors of the binding.</summary>
    public static long NativeHandleCount => Native.et_live_count();

    private static unsafe string CpuCapability => Native.Text(Native.et_cpu_capability()).ToLowerInvariant();
#else
    /// <summary>The engine and its version, for example <c>torchsharp-0.107.0</c>.</summary>
    public static string EngineVersion => "torchsharp-" + torch.__version__;

    private static string CpuCapability => RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
#endif
}
