using System.Globalization;

namespace Espalier.Modeling.Runtime;

/// <summary>Main memory of this machine, or of the container that the process is in.</summary>
public static class HostMemory
{
    private const string Group = "/sys/fs/cgroup";

    /// <summary>Bytes that can still be used without taking them from somebody else; 0 where the system does not tell.</summary>
    public static long FreeBytes()
    {
        var free = Available() ?? 0;
        return Number("memory.max") is { } most && Number("memory.current") is { } used ? Math.Clamp(most - used, 0, free) : free;
    }

    private static long? Available()
    {
        try
        {
            var line = File.ReadLines("/proc/meminfo").FirstOrDefault(l => l.StartsWith("MemAvailable:", StringComparison.Ordinal));
            return line is null ? null : long.Parse(line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture) * 1024;
        }
        catch (IOException)
        {
            return null;
        }
    }

    // "max" means no limit.
    private static long? Number(string file)
    {
        try
        {
            return long.TryParse(File.ReadAllText(Path.Combine(Group, file)), CultureInfo.InvariantCulture, out var number) ? number : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }
}
