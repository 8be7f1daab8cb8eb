using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Espalier.Torch;

namespace TorchSharp;

// Loads the shim, and with it LibTorch, at the first native call: that costs half a second, which a process that
// computes nothing should not pay. The environment must be prepared before that.
internal static class NativeLoader
{
    private const string FileName = "libespalier_torch.so";

#pragma warning disable CA2255 // There is no earlier place that every native call passes.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Register() => NativeLibrary.SetDllImportResolver(typeof(NativeLoader).Assembly, Resolve);

    private static IntPtr Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath)
    {
        if (name != Native.Library)
            return IntPtr.Zero;

        TorchRuntime.PrepareEnvironment();
        string[] folders = [Path.GetDirectoryName(assembly.Location) ?? "", AppContext.BaseDirectory];
        foreach (string folder in folders)
        {
            string path = Path.Combine(folder, FileName);
            if (File.Exists(path))
                return NativeLibrary.Load(path);
        }
        throw new DllNotFoundException($"{FileName} is not in {string.Join(" or ", folders.Distinct())}; build shared/Torch first.");
    }
}
