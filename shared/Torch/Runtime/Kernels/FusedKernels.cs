using System.Runtime.InteropServices;

namespace Espalier.Torch.Kernels;

/// <summary>
/// Fused float32 kernels for the CPU: a layer's attention, routing and experts, both ends of a decoder, AdamW. They need
/// no tensor engine. Where the library is absent, or <see cref="Variable"/> says <c>plain</c>, plain tensor operations run.
/// </summary>
public static unsafe class FusedKernels
{
    /// <summary>Environment variable: <c>plain</c> for none, or an instruction set: <c>portable</c>, <c>avx2</c>, <c>avx512</c>.</summary>
    public const string Variable = "ESPALIER_KERNELS";

    private const string Library = "espalier_kernels";
    private const int Version = 3;

    private static readonly Lazy<string?> Found = new(Find);

    /// <summary>Whether the kernels can be used in this process.</summary>
    public static bool IsAvailable => Found.Value is not null;

    /// <summary>Which arithmetic runs: <c>fused-3-avx2</c>, or <c>plain</c>. Part of the numerics class.</summary>
    public static string Name => Found.Value ?? "plain";

    /// <summary>The address of the elements of a contiguous tensor in main memory; valid as long as the tensor.</summary>
    public static T* Address<T>(TorchSharp.torch.Tensor tensor) where T : unmanaged
    {
        if (!tensor.is_contiguous())
            throw new InvalidOperationException("kernels read elements that lie one after the other");
        if (tensor.numel() > int.MaxValue / sizeof(T)) // more than a span can show
        {
            using var flat = tensor.view(-1);
            using var start = flat.narrow(0, 0, 1);
            return Address<T>(start);
        }
        fixed (byte* first = tensor.bytes)
            return (T*)first; // native memory: nothing moves it
    }

    /// <summary>Memory on large pages where the system grants them; not cleared.</summary>
    /// <exception cref="OutOfMemoryException">There is not that much.</exception>
    public static void* Allocate(long bytes)
    {
        var memory = ek_allocate(bytes);
        return memory != IntPtr.Zero ? (void*)memory : throw new OutOfMemoryException($"no memory for {bytes} bytes of activations");
    }

    /// <summary>Frees what <see cref="Allocate"/> gave.</summary>
    public static void Free(void* memory) => ek_free((IntPtr)memory);

#pragma warning disable CS1591 // One line each in native/kernels/library.cpp.
    [DllImport(Library, EntryPoint = "ek_attention_forward")] public static extern void AttentionForward(LayerArguments* layer);
    [DllImport(Library, EntryPoint = "ek_attention_backward")] public static extern void AttentionBackward(LayerArguments* layer);
    [DllImport(Library, EntryPoint = "ek_router_forward")] public static extern void RouterForward(LayerArguments* layer);
    [DllImport(Library, EntryPoint = "ek_experts_forward")] public static extern void ExpertsForward(LayerArguments* layer);
    [DllImport(Library, EntryPoint = "ek_experts_combine")] public static extern void ExpertsCombine(LayerArguments* layer);
    [DllImport(Library, EntryPoint = "ek_experts_backward")] public static extern void ExpertsBackward(LayerArguments* layer);
    [DllImport(Library, EntryPoint = "ek_mlp_forward")] public static extern void MlpForward(LayerArguments* layer);
    [DllImport(Library, EntryPoint = "ek_mlp_backward")] public static extern void MlpBackward(LayerArguments* layer);
    [DllImport(Library, EntryPoint = "ek_embed")] public static extern void Embed(EndArguments* ends);
    [DllImport(Library, EntryPoint = "ek_embed_backward")] public static extern void EmbedBackward(EndArguments* ends);
    [DllImport(Library, EntryPoint = "ek_head_forward")] public static extern void HeadForward(EndArguments* ends);
    [DllImport(Library, EntryPoint = "ek_head_losses")] public static extern void HeadLosses(EndArguments* ends);
    [DllImport(Library, EntryPoint = "ek_sum_of_squares")] public static extern double SumOfSquares(long threads, float* values, long count);
    [DllImport(Library, EntryPoint = "ek_adamw")] public static extern void AdamW(AdamWArguments* arguments);
    [DllImport(Library, EntryPoint = "ek_product")] public static extern void Product(long threads, float* x, long rows, long depth, float* weights, long columns, float* result);
#pragma warning restore CS1591

    [DllImport(Library)] private static extern IntPtr ek_allocate(long bytes);
    [DllImport(Library)] private static extern void ek_free(IntPtr memory);
    [DllImport(Library)] private static extern int ek_version();
    [DllImport(Library)] private static extern IntPtr ek_name();

    private static string? Find()
    {
        if (Environment.GetEnvironmentVariable(Variable) == "plain")
            return null;
        TorchRuntime.Initialize(); // threads are chosen before OpenMP is loaded
        if (!NativeLibrary.TryLoad(Library, typeof(FusedKernels).Assembly, null, out var library) || !NativeLibrary.TryGetExport(library, "ek_version", out _) || ek_version() != Version)
            return null;
        return $"fused-{Version}-{Marshal.PtrToStringUTF8(ek_name())}";
    }
}
