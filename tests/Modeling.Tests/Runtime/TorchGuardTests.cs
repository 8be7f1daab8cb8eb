using System.Reflection;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Espalier.Modeling.Runtime;
using TorchSharp;

namespace Espalier.Modeling.Tests.Runtime;

public sealed unsafe class TorchGuardTests
{
    [Fact]
    public void NumberLeftToTheFinalizer_CanStillBeReadByTheCallThatHasItsHandle()
    {
        if (!IsHere())
            return;
        var read = (delegate* unmanaged<nint, double>)NativeLibrary.GetExport(
            NativeLibrary.Load("LibTorchSharp", typeof(torch).Assembly, null), "THSTorch_scalar_to_float64");

        var handles = Enumerable.Range(0, 1000).Select(i => LeaveNumber(i + 0.5)).ToList();
        GC.Collect();
        GC.WaitForPendingFinalizers();

        TorchGuard.Waiting.ShouldBeGreaterThanOrEqualTo(handles.Count);
        for (var i = 0; i < handles.Count; i++)
            read(handles[i]).ShouldBe(i + 0.5);
    }

    [Fact]
    public void TensorLeftToTheFinalizer_IsFreedAfterAWhile()
    {
        if (!IsHere())
            return;
        LeaveTensors(100);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        var waiting = TorchGuard.Waiting;
        waiting.ShouldBeGreaterThanOrEqualTo(100);

        Thread.Sleep(TorchGuard.Delay + TimeSpan.FromMilliseconds(200));
        torch.zeros(1).Dispose();

        TorchGuard.Waiting.ShouldBeLessThanOrEqualTo(waiting - 100);
    }

    [Fact]
    public void TensorDisposedOfByName_IsFreedAtOnce()
    {
        TorchRuntime.Initialize();
        var megabytes = Resident();

        for (var i = 0; i < 50; i++)
            torch.ones(16 << 20).Dispose();

        (Resident() - megabytes).ShouldBeLessThan(1000, "50 tensors of 64 MB, one at a time");

        static long Resident() => Environment.WorkingSet >> 20;
    }

    private static bool IsHere()
    {
        TorchRuntime.Initialize();
        TorchGuard.IsInstalled.ShouldBe(OperatingSystem.IsLinux());
        return TorchGuard.IsInstalled;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static nint LeaveNumber(double value)
    {
        Scalar number = value;
        return (nint)typeof(Scalar).GetProperty("Handle", BindingFlags.Instance | BindingFlags.NonPublic)!.GetValue(number)!;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static void LeaveTensors(int count)
    {
        for (var i = 0; i < count; i++)
            _ = torch.zeros(10);
    }
}
