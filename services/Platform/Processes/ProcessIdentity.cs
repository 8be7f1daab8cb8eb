using System.Globalization;
using System.Runtime.InteropServices;

namespace Espalier.Platform.Processes;

/// <summary>A process that cannot be mistaken for a later one with the same id: its id and its start time.</summary>
/// <param name="Pid">Process id, which is also the id of its process group.</param>
/// <param name="StartedTicks">Clock ticks from boot to the start of the process.</param>
/// <param name="Boot">The kernel's id of this boot.</param>
public sealed partial record ProcessIdentity(int Pid, long StartedTicks, string Boot)
{
    private const int StateField = 0, StartField = 19; // counted from behind the name in parentheses
    private static readonly string ThisBoot = File.Exists("/proc/sys/kernel/random/boot_id") ? File.ReadAllText("/proc/sys/kernel/random/boot_id").Trim() : "";

    /// <summary>Whether this process is running.</summary>
    public bool IsAlive => Boot == ThisBoot && ReadStart(Pid) == StartedTicks;

    /// <summary>The identity of a running process, or null when it has ended.</summary>
    public static ProcessIdentity? Of(int pid) => ReadStart(pid) is { } started ? new ProcessIdentity(pid, started, ThisBoot) : null;

    /// <summary>Sends a signal to the process; does nothing when it has ended.</summary>
    public void Signal(PlatformSignal signal)
    {
        if (IsAlive)
            _ = Kill(Pid, (int)signal);
    }

    /// <summary>Ends the process and everything in its group at once.</summary>
    public void KillGroup()
    {
        if (IsAlive)
            _ = Kill(-Pid, (int)PlatformSignal.Kill);
    }

    /// <summary>Ends what a process that has just ended left behind in its group.</summary>
    public static void KillOrphans(int endedPid) => _ = Kill(-endedPid, (int)PlatformSignal.Kill);

    private static long? ReadStart(int pid)
    {
        try
        {
            var stat = File.ReadAllText($"/proc/{pid}/stat");
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            // A zombie has ended; its parent has not collected its exit code yet.
            return fields[StateField] is "Z" or "X" ? null : long.Parse(fields[StartField], CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    [LibraryImport("libc", EntryPoint = "kill", SetLastError = true)]
    [DefaultDllImportSearchPaths(DllImportSearchPath.SafeDirectories)]
    private static partial int Kill(int pid, int signal);
}

/// <summary>Signals that the platform sends, by their numbers.</summary>
public enum PlatformSignal
{
    /// <summary>Ctrl-C; PostgreSQL's fast shutdown.</summary>
    Interrupt = 2,

    /// <summary>Ends the process at once.</summary>
    Kill = 9,

    /// <summary>Asks the process to end.</summary>
    Terminate = 15,
}
