using System.Runtime.Intrinsics.X86;

namespace Espalier.Torch;

/// <summary>
/// Chooses the kernels that OpenBLAS uses. Debian's OpenBLAS does not recognise newer processors and falls back to
/// SSE, five times slower; the processor's own feature flags tell better. A choice in the environment is respected.
/// </summary>
public static class BlasKernelChoice
{
    /// <summary>The environment variable that OpenBLAS reads when it is loaded.</summary>
    public const string Variable = "OPENBLAS_CORETYPE";

    /// <summary>The kernel of this process, or null where OpenBLAS chooses by itself.</summary>
    public static string? Current => For(Environment.GetEnvironmentVariable(Variable));

    /// <summary>The kernel for this processor, unless the environment names one.</summary>
    /// <param name="fromEnvironment">The value of <see cref="Variable"/>.</param>
    public static string? For(string? fromEnvironment)
    {
        if (!string.IsNullOrEmpty(fromEnvironment))
            return fromEnvironment;
        if (Avx512F.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported)
            return "SkylakeX";
        return Avx2.IsSupported && Fma.IsSupported ? "Haswell" : null;
    }

    /// <summary>Tells OpenBLAS; must run before LibTorch is loaded.</summary>
    internal static void Apply()
    {
        if (Current is { } kernel)
            NativeEnvironment.SetDefault(Variable, kernel);
    }
}
