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
    public static long Read()
    {
        try
        {
            var line = File.ReadLines("/proc/self/status").FirstOrDefault(l => l.StartsWith("VmHWM:", StringComparison.Ordinal));
            if (line is not null)
                return long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) * 1024;
        }
        catch (IOException)
        {
        }
        return Environment.WorkingSet;
    }
}
