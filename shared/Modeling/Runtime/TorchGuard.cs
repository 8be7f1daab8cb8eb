using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using TorchSharp;

namespace Espalier.Modeling.Runtime;

/// <summary>
/// Puts off what TorchSharp's finalizers free. Its methods pass native handles to LibTorch and keep nothing alive:
/// in <c>a.add_(b, 0.5)</c> the number may be collected, and freed, in the middle of the call that reads it. A small native
/// library stands before TorchSharp's own and frees what the finalizer lets go only <see cref="Delay"/> later; what is
/// disposed of by name is freed at once, as ever. Where that library is missing (other systems than Linux), TorchSharp runs as it is.
/// </summary>
internal static unsafe class TorchGuard
{
    /// <summary>How long a call of LibTorch may take until it has read its arguments.</summary>
    public static readonly TimeSpan Delay = TimeSpan.FromSeconds(5);

    private const string TorchLibrary = "LibTorchSharp";
    private static readonly Lock Installing = new();
    private static nint _guard;
    private static bool _isDecided;

    /// <summary>Whether the library stands before TorchSharp's.</summary>
    public static bool IsInstalled => _guard != 0;

    /// <summary>How many objects the finalizer has let go that are not yet freed.</summary>
    public static long Waiting => IsInstalled ? ((delegate* unmanaged<long>)NativeLibrary.GetExport(_guard, "etg_waiting"))() : 0;

#pragma warning disable CA2255 // It must stand there before the first call of TorchSharp, whoever makes it.
    [ModuleInitializer]
#pragma warning restore CA2255
    internal static void Register()
    {
        if (OperatingSystem.IsLinux())
            NativeLibrary.SetDllImportResolver(typeof(torch).Assembly, Resolve);
    }

    private static nint Resolve(string name, Assembly assembly, DllImportSearchPath? searchPath)
    {
        if (name != TorchLibrary)
            return 0;
        lock (Installing)
        {
            if (_isDecided)
                return _guard;
            if (NativeLibrary.TryLoad(name, assembly, searchPath, out var torch))
                _guard = Install(torch);
            _isDecided = true;
        }
        // Outside the lock: a finalizer of TorchSharp may be waiting for it.
        if (IsInstalled)
            Finalizer.Mark(NativeLibrary.GetExport(_guard, "etg_this_thread_finalizes"));
        return _guard;
    }

    // The guard needs TorchSharp's library by its name, and finds it because it is loaded.
    private static nint Install(nint torch)
    {
        var path = Path.Combine(AppContext.BaseDirectory, "libespalier_torch.so");
        if (!File.Exists(path) || !NativeLibrary.TryLoad(path, out var guard))
            return 0;
        var (scalar, tensor) = (NativeLibrary.GetExport(torch, "THSTorch_dispose_scalar"), NativeLibrary.GetExport(torch, "THSTensor_dispose"));
        ((delegate* unmanaged<nint, nint, long, void>)NativeLibrary.GetExport(guard, "etg_install"))(scalar, tensor, (long)Delay.TotalMilliseconds);
        return guard;
    }

    /// <summary>Runs a native function on the thread of the finalizers.</summary>
    private sealed class Finalizer(nint function)
    {
        ~Finalizer() => ((delegate* unmanaged<void>)function)();

        public static void Mark(nint function)
        {
            Leave(function);
            GC.Collect(0, GCCollectionMode.Forced, blocking: true);
            GC.WaitForPendingFinalizers();
        }

        [MethodImpl(MethodImplOptions.NoInlining)]
        private static void Leave(nint function) => _ = new Finalizer(function);
    }
}
