using System.Runtime.InteropServices;
using Espalier.Modeling.Runtime;

namespace Espalier.Modeling.Tests.Runtime;

public sealed class VectorUnitsTests
{
    // std::string at::get_cpu_capability(): on x64 the caller passes the address of the result.
    private const string Function = "_ZN2at18get_cpu_capabilityB5cxx11Ev";

    private delegate nint GetCapability(nint result);

    [Fact]
    public void Capability_IsWhatLibTorchSays()
    {
        if (!OperatingSystem.IsLinux() || RuntimeInformation.ProcessArchitecture != Architecture.X64)
            return; // another calling convention
        TorchRuntime.Initialize();
        var library = NativeLibrary.Load(Path.Combine(AppContext.BaseDirectory, "runtimes/linux-x64/native/libtorch_cpu.so"));
        var result = Marshal.AllocHGlobal(32);

        Marshal.GetDelegateForFunctionPointer<GetCapability>(NativeLibrary.GetExport(library, Function))(result);

        var said = Marshal.PtrToStringUTF8(Marshal.ReadIntPtr(result))!; // the pointer is a string's first field
        VectorUnits.Capability.ShouldBe(said.ToLowerInvariant());
        VectorUnits.Name.ShouldContain($"-{VectorUnits.Capability}");
        Marshal.FreeHGlobal(result);
    }
}
