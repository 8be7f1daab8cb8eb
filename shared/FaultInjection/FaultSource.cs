using System.Collections.Concurrent;

namespace Espalier.FaultInjection;

/// <summary>The faults of this process, fixed or from a watched folder, and how often each point was reached.</summary>
internal sealed class FaultSource(IReadOnlyList<Fault> faults, string? folder, string role)
{
    public const string WatchPrefix = "watch:";
    private readonly ConcurrentDictionary<string, int> _hits = new();
    private readonly Lock _gate = new();
    private IReadOnlyList<Fault> _faults = faults;
    private DateTime _read;
    private StreamWriter? _log;

    /// <summary>Counts the point; the fault that is due, if any.</summary>
    public Fault? Take(string point)
    {
        if (folder is not null)
        {
            Refresh(folder);
            RecordReached(folder, point);
        }
        var hit = _hits.AddOrUpdate(point, 1, (_, n) => n + 1);
        foreach (var fault in _faults)
        {
            if (fault.Point == point && fault.Hit == hit && (fault.Role.Length == 0 || fault.Role == role) && IsFirst(fault))
                return fault;
        }
        return null;
    }

    /// <summary>A new file resets the count.</summary>
    private void Refresh(string path)
    {
        lock (_gate)
        {
            var file = Path.Combine(path, "faults");
            var changed = File.GetLastWriteTimeUtc(file);
            if (changed != _read && File.Exists(file))
            {
                _faults = Fault.ParseAll(File.ReadAllText(file));
                _read = changed;
                _log?.Dispose();
                _log = null;
                _hits.Clear();
            }
        }
    }

    /// <summary>A file for each process and each set of faults, so that lines of several processes never mix.</summary>
    private void RecordReached(string path, string point)
    {
        lock (_gate)
        {
            _log ??= new StreamWriter(
                Path.Combine(Directory.CreateDirectory(Path.Combine(path, "reached")).FullName, $"{role}.{Environment.ProcessId}.{_read.Ticks}"),
                append: true)
            {
                AutoFlush = true,
            };
            _log.WriteLine($"{role}@{point}");
        }
    }

    private bool IsFirst(Fault fault) =>
        folder is null || Create(Path.Combine(folder, "fired", $"{_read.Ticks}-{fault.Text.Replace(':', '.')}"));

    private static bool Create(string path)
    {
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(path)!);
            File.Open(path, FileMode.CreateNew).Dispose();
            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
