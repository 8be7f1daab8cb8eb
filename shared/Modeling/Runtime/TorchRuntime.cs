using System.Globalization;
using Espalier.Kernels;
using TorchSharp;

namespace Espalier.Modeling.Runtime;

/// <summary>
/// What the tensor engine of this process is: facts that decide whether two runs can give the same bytes, and the
/// few settings that must be made before the first tensor.
/// </summary>
public static class TorchRuntime
{
    private static readonly Lazy<bool> Loaded = new(Load);
    private static readonly Lock Choosing = new();
    private static bool _isPrepared;

    /// <summary>The engine and its versions, for example <c>torchsharp-0.107.0;libtorch-2.10.0</c>.</summary>
    public static string EngineVersion
    {
        get
        {
            Initialize();
            return $"torchsharp-{typeof(torch).Assembly.GetName().Version!.ToString(3)};libtorch-{torch.__version__}";
        }
    }

    /// <summary>Threads that one operation may use.</summary>
    public static int Threads
    {
        get
        {
            Initialize();
            return torch.get_num_threads();
        }
    }

    /// <summary>Tensors that exist now, in all threads.</summary>
    public static long LiveTensorCount => torch.Tensor.TotalCount;

    /// <summary>Whether this process can use an NVIDIA GPU.</summary>
    public static bool HasCuda
    {
        get
        {
            Initialize();
            return torch.cuda.is_available();
        }
    }

    /// <summary>As <see cref="NumericsClassOn"/>, for work on the CPU.</summary>
    public static string NumericsClass => NumericsClassOn("cpu");

    /// <summary>
    /// Names everything that may change the last bit of a result: TorchSharp and LibTorch, type of the device that computes, processor and
    /// vector instructions, fused kernels, number of threads.
    /// </summary>
    public static string NumericsClassOn(string device)
    {
        Initialize();
        var threads = torch.get_num_threads().ToString(CultureInfo.InvariantCulture);
        return $"{EngineVersion};{device};{VectorUnits.Name};kernels={KernelLibrary.Current};threads={threads}";
    }

    /// <summary>
    /// Chooses threads and allocator, at no cost: native libraries read these choices once, when they are loaded, so every
    /// process that will use tensors calls this first.
    /// </summary>
    /// <param name="threads">Threads that one operation uses; null for <see cref="ThreadChoice"/>. Of several calls the first counts.</param>
    public static void Prepare(int? threads = null)
    {
        lock (Choosing)
        {
            if (_isPrepared)
                return;
            ThreadChoice.Apply(threads);
            AllocatorChoice.Apply();
            _isPrepared = true;
        }
    }

    /// <summary>Prepares and loads the engine, which takes about half a second the first time.</summary>
    /// <param name="threads">Threads that one operation may use; null leaves <see cref="ThreadChoice"/>.</param>
    public static void Initialize(int? threads = null)
    {
        _ = Loaded.Value;
        if (threads is { } count)
            torch.set_num_threads(count);
    }

    /// <summary>Gives memory that freed tensors left behind back to the operating system: for the end of a long piece of work.</summary>
    public static void ReleaseFreeMemory() => AllocatorChoice.Trim();

    private static bool Load()
    {
        Prepare();
        torch.InitializeDeviceType(DeviceType.CPU);
        // Said outright, so that no library takes fewer where the machine has fewer cores: sums would be rounded in another order.
        torch.set_num_threads(torch.get_num_threads());
        return true;
    }
}
