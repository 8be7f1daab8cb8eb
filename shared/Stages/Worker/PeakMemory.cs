using System.Globalization;

namespace Espalier.Stages.Worker;

/// <summary>Highest resident memory of this process since <see cref="Reset"/>.</summary>
internal static class PeakMemory
{
    /// <summary>Starts over; without effect where the system does not offer it.</summary>
    public static void Reset()
    {
        try
        {
            File.WriteAllText("/proc/self/clear_refs", "5");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The peak then counts from the start of the process: still an upper bound.
        }
    }

    /// <summary>Bytes; the present size where the system does not know the peak.</summary>
    public static long Read() => Status("self", "VmHWM:") ?? Environment.WorkingSet;

    /// <summary>Bytes that a process has in memory now; 0 when it is gone or the system does not tell.</summary>
    public static long ResidentOf(int process) => Status($"{process}", "VmRSS:") ?? 0;

    private static long? Status(string process, string name)
    {
        try
        {
            var line = File.ReadLines($"/proc/{process}/status").FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal));
            return line is null ? null : long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) * 1024;
        }
        catch (IOException)
        {
            return null;
        }
    }
}
