using System.Globalization;

namespace Espalier.TestKit.Models;

/// <summary>Resident memory of this process in bytes, as Linux counts it.</summary>
public static class ProcessMemory
{
    public static long Now => Read("VmRSS:");

    /// <summary>The highest value since <see cref="ResetPeak"/>.</summary>
    public static long Peak => Read("VmHWM:");

    public static void ResetPeak() => File.WriteAllText("/proc/self/clear_refs", "5");

    // A number of eight digits has nothing but the tab before it.
    private static long Read(string key)
    {
        var line = File.ReadLines("/proc/self/status").First(l => l.StartsWith(key, StringComparison.Ordinal));
        return long.Parse(line.Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries)[^2], CultureInfo.InvariantCulture) * 1024;
    }
}
