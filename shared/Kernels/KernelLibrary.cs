using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Security.Cryptography;

namespace Espalier.Kernels;

/// <summary>The native library of the kernels: which file it is, what runs, and why it cannot be used where it cannot.</summary>
/// <param name="InstructionSet">Whose arithmetic runs: <c>portable</c>, <c>avx2</c>, <c>avx512</c>; null when none does.</param>
/// <param name="Digest">First 12 hexadecimal digits of the file's SHA-256; null when there is no file.</param>
/// <param name="Problem">What is wrong, in one sentence; null when all is as asked for.</param>
public sealed record KernelLibrary(string? InstructionSet, string? Digest, string? Problem)
{
    /// <summary>Environment variable: <c>plain</c> for no kernels, or an instruction set: <c>portable</c>, <c>avx2</c>, <c>avx512</c>.</summary>
    public const string Variable = "ESPALIER_KERNELS";

    internal const string Name = "espalier_kernels";

    /// <summary>Whose bf16 products run where they are asked for: <c>avx512bf16</c>; null when the processor, or the chosen set, has none.</summary>
    public string? Bf16Set { get; init; }

    private const string Plain = "plain";

    private static readonly Lazy<KernelLibrary> Found = new(() => Report(Examine(OwnPath(), Environment.GetEnvironmentVariable(Variable)), Console.Error));

    /// <summary>The library of this process. The first question loads it, and writes its problem to standard error if it has one.</summary>
    public static KernelLibrary Current => Found.Value;

    /// <summary>Whether kernels run.</summary>
    public bool IsUsable => InstructionSet is not null;

    /// <summary>What decides the bits of a result: <c>avx2-1f0c9a67b3e2</c>, or <c>plain</c>. Part of the numerics class.</summary>
    public override string ToString() => IsUsable ? $"{InstructionSet}-{Digest}" : Plain;

    /// <summary>Examines one file, as <see cref="Current"/> does with the one beside this assembly.</summary>
    /// <param name="path">The library.</param>
    /// <param name="wanted">The value of <see cref="Variable"/>.</param>
    public static KernelLibrary Examine(string path, string? wanted)
    {
        if (wanted == Plain)
            return new KernelLibrary(null, null, null);
        if (!File.Exists(path))
            return new KernelLibrary(null, null, $"{path} is missing: build shared/Kernels, or set {Variable}=plain to do without.");
        var digest = Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(path)))[..12];
        nint library;
        try
        {
            library = NativeLibrary.Load(path);
        }
        catch (Exception exception) when (exception is DllNotFoundException or BadImageFormatException)
        {
            return new KernelLibrary(null, digest, $"{path} does not load: {exception.Message}");
        }
        if (LayoutProblem(library) is { } problem)
            return new KernelLibrary(null, digest, $"{path} was built from other sources than this assembly: {problem}.");
        var (runs, refused) = (Text(library, "ek_name")!, Text(library, "ek_refused"));
        var found = new KernelLibrary(runs, digest, null) { Bf16Set = Text(library, "ek_bf16_name") };
        if (refused is not null)
            return found with { Problem = $"the {refused} kernels multiply two small matrices wrongly on this processor; {runs} runs instead." };
        if (!string.IsNullOrEmpty(wanted) && wanted != runs)
            return found with { Problem = $"{Variable}={wanted} names nothing that this processor runs; {runs} runs instead." };
        return found;
    }

    internal static KernelLibrary Report(KernelLibrary found, TextWriter errors)
    {
        if (found.Problem is { } problem)
            errors.WriteLine($"espalier: fused kernels{(found.IsUsable ? "" : " are not used, training is several times slower")}: {problem}");
        return found;
    }

    private static string OwnPath() =>
        Path.Combine(AppContext.BaseDirectory, OperatingSystem.IsMacOS() ? $"lib{Name}.dylib" : OperatingSystem.IsWindows() ? $"{Name}.dll" : $"lib{Name}.so");

    // A struct of another size means that the two sides disagree about where its fields lie.
    private static unsafe string? LayoutProblem(nint library)
    {
        if (!NativeLibrary.TryGetExport(library, "ek_struct_sizes", out var export))
            return "it does not tell the sizes of its structs";
        var sizes = stackalloc long[3];
        ((delegate* unmanaged<long*, void>)export)(sizes);
        (string Name, long Here, long There)[] structs =
        [
            ("LayerArguments", Unsafe.SizeOf<LayerArguments>(), sizes[0]),
            ("EndArguments", Unsafe.SizeOf<EndArguments>(), sizes[1]),
            ("AdamWArguments", Unsafe.SizeOf<AdamWArguments>(), sizes[2]),
        ];
        var other = Array.Find(structs, s => s.Here != s.There);
        return other.Name is null ? null : $"{other.Name} has {other.There} bytes there and {other.Here} here";
    }

    private static unsafe string? Text(nint library, string function) =>
        Marshal.PtrToStringUTF8(((delegate* unmanaged<nint>)NativeLibrary.GetExport(library, function))());

#pragma warning disable CA2255 // The file whose digest was taken is the one to call into, wherever else one of its name may lie.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Register() => NativeLibrary.SetDllImportResolver(typeof(KernelLibrary).Assembly, Resolve);

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath) =>
        name == Name && File.Exists(OwnPath()) ? NativeLibrary.Load(OwnPath()) : IntPtr.Zero;
}
