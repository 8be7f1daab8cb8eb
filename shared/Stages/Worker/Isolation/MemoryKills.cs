using System.Globalization;

namespace Espalier.Stages.Worker.Isolation;

/// <summary>How many processes the kernel has ended because memory ran out.</summary>
internal static class MemoryKills
{
    private static readonly (string File, string Name)[] Counters =
        [("/proc/vmstat", "oom_kill "), ("/sys/fs/cgroup/memory.events", "oom_kill "), ("/sys/fs/cgroup/memory/memory.oom_control", "oom_kill ")];

    /// <summary>The count so far; 0 where the system does not tell.</summary>
    public static long Count() => Counters.Sum(c => Read(c.File, c.Name));

    private static long Read(string file, string name)
    {
        try
        {
            var line = File.ReadLines(file).FirstOrDefault(l => l.StartsWith(name, StringComparison.Ordinal));
            return line is null ? 0 : long.Parse(line.AsSpan(name.Length), CultureInfo.InvariantCulture);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return 0;
        }
    }
}
