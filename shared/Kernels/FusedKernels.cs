using System.Runtime.InteropServices;

namespace Espalier.Kernels;

/// <summary>
/// Fused kernels for the CPU, in float32, and where the processor has it with products in bf16: a layer's attention, routing and
/// experts, both ends of a decoder, AdamW. They need no tensor engine. Without them plain tensor operations run: where
/// <see cref="KernelLibrary.Variable"/> says <c>plain</c>, or where the library cannot be used, which <see cref="KernelLibrary"/> reports.
/// </summary>
public static unsafe class FusedKernels
{
    /// <summary>Whether the kernels can be used in this process.</summary>
    public static bool IsAvailable => KernelLibrary.Current.IsUsable;

    /// <summary>Whether they multiply in bf16 too, with sums in float32: only on instructions made for it.</summary>
    public static bool HasBf16 => KernelLibrary.Current.Bf16Set is not null;

    /// <summary>Memory on large pages where the system grants them; not cleared.</summary>
    /// <exception cref="OutOfMemoryException">There is not that much.</exception>
    public static void* Allocate(long bytes)
    {
        var memory = ek_allocate(bytes);
        return memory != IntPtr.Zero ? (void*)memory : throw new OutOfMemoryException($"no memory for {bytes} bytes of activations");
    }

    /// <summary>Frees what <see cref="Allocate"/> gave.</summary>
    public static void Free(void* memory) => ek_free((IntPtr)memory);

#pragma warning disable CS1591 // One line each in native/library.cpp.
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_attention_forward")] public static extern void AttentionForward(LayerArguments* layer);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_attention_backward")] public static extern void AttentionBackward(LayerArguments* layer);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_router_forward")] public static extern void RouterForward(LayerArguments* layer);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_experts_forward")] public static extern void ExpertsForward(LayerArguments* layer);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_experts_combine")] public static extern void ExpertsCombine(LayerArguments* layer);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_experts_backward")] public static extern void ExpertsBackward(LayerArguments* layer);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_mlp_forward")] public static extern void MlpForward(LayerArguments* layer);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_mlp_backward")] public static extern void MlpBackward(LayerArguments* layer);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_embed")] public static extern void Embed(EndArguments* ends);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_embed_backward")] public static extern void EmbedBackward(EndArguments* ends);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_head_forward")] public static extern void HeadForward(EndArguments* ends);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_head_losses")] public static extern void HeadLosses(EndArguments* ends);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_sum_of_squares")] public static extern double SumOfSquares(long threads, float* values, long count);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_pull")]
    public static extern double Pull(long threads, float* x, float* goal, long count, double factor, float* gradient);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_adamw")] public static extern void AdamW(AdamWArguments* arguments);
    [DllImport(KernelLibrary.Name, EntryPoint = "ek_product")]
    public static extern void Product(long threads, float* x, long rows, long depth, float* weights, long columns, float* result, long bf16 = 0);
#pragma warning restore CS1591

    [DllImport(KernelLibrary.Name)] private static extern IntPtr ek_allocate(long bytes);
    [DllImport(KernelLibrary.Name)] private static extern void ek_free(IntPtr memory);
}
