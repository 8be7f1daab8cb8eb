using System.Globalization;

namespace Espalier.Modeling.Runtime;

/// <summary>Main memory of this machine, or of the container that the process is in.</summary>
public static class HostMemory
{
    private const string Group = "/sys/fs/cgroup";

    /// <summary>Bytes that can still be used without taking them from somebody else; 0 where the system does not tell.</summary>
    public static long FreeBytes()
    {
        var free = Line("MemAvailable:") ?? 0;
        return Number("memory.max") is { } most && Number("memory.current") is { } used ? Math.Clamp(most - used, 0, free) : free;
    }

    /// <summary>Bytes that there are, in use or not; 0 where the system does not tell.</summary>
    public static long TotalBytes()
    {
        var all = Line("MemTotal:") ?? 0;
        return Number("memory.max") is { } most ? Math.Min(most, all) : all;
    }

    private static long? Line(string name)
    {
        try
        {
            var line = File.ReadLines("/proc/meminfo").FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal));
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
