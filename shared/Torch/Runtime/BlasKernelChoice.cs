using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Espalier.Torch;

/// <summary>
/// Chooses the kernels that OpenBLAS uses. Debian's OpenBLAS does not recognise newer processors and falls back to
/// SSE, five times slower; the processor's own feature flags tell better. A choice in the environment is respected.
/// </summary>
public static partial class BlasKernelChoice
{
    /// <summary>The environment variable that OpenBLAS reads when it is loaded.</summary>
    public const string Variable = "OPENBLAS_CORETYPE";

    /// <summary>Puts the choice into the environment, unless there is one; must run before LibTorch is loaded.</summary>
    /// <returns>The kernel in the environment after the call, or null where OpenBLAS chooses by itself.</returns>
    public static string? Apply()
    {
        string? kernel = For(Environment.GetEnvironmentVariable(Variable));
        if (kernel is not null)
        {
            Environment.SetEnvironmentVariable(Variable, kernel);
            if (OperatingSystem.IsLinux())
                _ = SetEnvironment(Variable, kernel, 0); // .NET keeps its own copy; native code reads the C library's
        }
        return kernel;
    }

    /// <summary>The kernel for this processor, or the one that the environment already names.</summary>
    public static string? For(string? fromEnvironment)
    {
        if (!string.IsNullOrEmpty(fromEnvironment))
            return fromEnvironment;
        if (Avx512F.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported && Avx512F.VL.IsSupported)
            return "SkylakeX";
        return Avx2.IsSupported && Fma.IsSupported ? "Haswell" : null;
    }

    [LibraryImport("libc", EntryPoint = "setenv", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int SetEnvironment(string name, string value, int overwrite);
}
