using System.Diagnostics;

namespace Espalier.FaultInjection;

/// <summary>
/// Fails on purpose, for tests. Inert unless the environment variable <see cref="Variable"/> is set when the process starts:
/// <list type="bullet">
/// <item><c>POINT:N:ACTION[:MILLISECONDS]</c>, several separated by <c>;</c>: at the N-th time the point is reached</item>
/// <item><c>watch:FOLDER</c>: faults are read from <c>FOLDER/faults</c> whenever that file changes, each acts once in one
/// process, and every point that is reached is a line in a file of <c>FOLDER/reached</c></item>
/// </list>
/// Actions: <c>kill</c> ends the process from outside; <c>abort</c> as a crash in native code; <c>throw</c> an I/O error; <c>delay</c>;
/// <c>tear</c> writes half and ends the process.
/// </summary>
public static class Faults
{
    /// <summary>The environment variable.</summary>
    public const string Variable = "ESPALIER_FAULT";

    /// <summary>Restricts the process to faults for this role, as in <c>ROLE@POINT:N:ACTION</c>.</summary>
    public const string RoleVariable = "ESPALIER_FAULT_ROLE";

    private static readonly FaultSource? Source = Open();

    /// <summary>A boundary is reached. Costs nothing unless faults are switched on.</summary>
    public static void Reach(string point)
    {
        if (Source is not null)
            Act(point, Source);
    }

    /// <summary>As <see cref="Reach"/>, for a write that can be torn: the number of bytes to write before <see cref="EndProcess"/>, or null.</summary>
    public static int? ReachWrite(string point, int length)
    {
        if (Source?.Take(point) is not { } fault)
            return null;
        if (fault.Action == FaultAction.Tear)
            return length / 2;
        Act(fault);
        return null;
    }

    /// <summary>Ends the process at once, as a crash does.</summary>
    public static void EndProcess()
    {
        Process.GetCurrentProcess().Kill();
        Block(Timeout.Infinite);
    }

    private static void Act(string point, FaultSource source)
    {
        if (source.Take(point) is { } fault)
            Act(fault);
    }

    private static void Act(Fault fault)
    {
        switch (fault.Action)
        {
            case FaultAction.Throw:
                throw new IOException($"Injected at {fault.Point}.");
            case FaultAction.Abort:
                Environment.FailFast($"Injected at {fault.Point}.");
                break;
            case FaultAction.Delay:
                Block(fault.Milliseconds);
                break;
            default:
                EndProcess();
                break;
        }
    }

    /// <summary>Blocks on purpose: what waits is the boundary itself, in code that need not be asynchronous.</summary>
    private static void Block(int milliseconds)
    {
        using var never = new ManualResetEventSlim();
        never.Wait(milliseconds);
    }

    private static FaultSource? Open()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { Length: > 0 } text)
            return null;
        var role = Environment.GetEnvironmentVariable(RoleVariable) ?? "";
        return text.StartsWith(FaultSource.WatchPrefix, StringComparison.Ordinal)
            ? new FaultSource([], text[FaultSource.WatchPrefix.Length..], role)
            : new FaultSource(Fault.ParseAll(text), null, role);
    }
}
