using System.Runtime.InteropServices;
using System.Runtime.Intrinsics.X86;

namespace Espalier.Modeling.Runtime;

/// <summary>
/// The vector instructions that LibTorch's operations use here. TorchSharp does not show them, so LibTorch's own rule is
/// repeated: the widest set that the processor has whole, unless <see cref="Variable"/> names a lesser one. The products
/// of MKL and oneDNN also depend on the processor's maker and on its bf16 units.
/// </summary>
public static class VectorUnits
{
    /// <summary>The environment variable that LibTorch reads: <c>default</c>, <c>avx2</c>, <c>avx512</c>.</summary>
    public const string Variable = "ATEN_CPU_CAPABILITY";

    /// <summary>The set of LibTorch's own operations: <c>default</c>, <c>avx2</c>, <c>avx512</c>.</summary>
    public static string Capability { get; } = For(Environment.GetEnvironmentVariable(Variable));

    /// <summary>Maker of the processor, set, and bf16 units, for example <c>amd-avx512-bf16</c>; <c>arm64-default</c> elsewhere.</summary>
    public static string Name { get; } = $"{Maker()}-{Capability}{Bf16Units()}";

    private static string For(string? fromEnvironment) => fromEnvironment switch
    {
        "default" or "avx2" or "avx512" => fromEnvironment, // taken unchecked there as well
        _ when Avx512F.VL.IsSupported && Avx512BW.IsSupported && Avx512DQ.IsSupported && Fma.IsSupported => "avx512",
        _ when Avx2.IsSupported && Fma.IsSupported => "avx2",
        _ => "default",
    };

    private static string Maker()
    {
        if (!X86Base.IsSupported)
            return RuntimeInformation.ProcessArchitecture.ToString().ToLowerInvariant();
        var (_, ebx, _, _) = X86Base.CpuId(0, 0);
        return ebx switch { 0x756e6547 => "intel", 0x68747541 => "amd", _ => "x86" };
    }

    private static string Bf16Units()
    {
        if (!X86Base.IsSupported)
            return "";
        var hasMatrixUnits = (X86Base.CpuId(7, 0).Edx & (1 << 22)) != 0;
        var hasVectorUnits = (X86Base.CpuId(7, 1).Eax & (1 << 5)) != 0;
        return hasMatrixUnits ? "-amx" : hasVectorUnits ? "-bf16" : "";
    }
}
