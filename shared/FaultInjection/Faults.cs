using System.Collections.Concurrent;
using System.Diagnostics;

namespace Espalier.FaultInjection;

/// <summary>
/// Fails on purpose, for tests. Inert unless the environment variable <see cref="Variable"/> is set when the process starts:
/// <list type="bullet">
/// <item><c>POINT:N:ACTION[:MILLISECONDS]</c>, several parted by <c>;</c>: at the N-th time the point is reached</item>
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

/// <summary>What happens at a point.</summary>
internal enum FaultAction
{
    Kill,
    Abort,
    Throw,
    Delay,
    Tear,
}

/// <summary>One fault: <c>[ROLE@]POINT:N:ACTION[:MILLISECONDS]</c>.</summary>
internal sealed record Fault(string Text, string Role, string Point, int Hit, FaultAction Action, int Milliseconds)
{
    private const int DefaultDelay = 2000;

    public static IReadOnlyList<Fault> ParseAll(string text) =>
        [.. text.Split([';', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).Select(Parse)];

    private static Fault Parse(string text)
    {
        var at = text.IndexOf('@', StringComparison.Ordinal);
        var parts = text[(at + 1)..].Split(':');
        if (parts.Length is < 3 or > 4 || !FaultPoints.All.Contains(parts[0]) || !int.TryParse(parts[1], out var hit) || hit < 1
            || !Enum.TryParse<FaultAction>(parts[2], ignoreCase: true, out var action))
            throw new FormatException($"{Faults.Variable}: '{text}' is no fault: expected [ROLE@]POINT:N:kill|abort|throw|delay|tear[:MILLISECONDS] with a point of {nameof(FaultPoints)}.");
        return new Fault(text, at < 0 ? "" : text[..at], parts[0], hit, action, parts.Length > 3 ? int.Parse(parts[3], System.Globalization.CultureInfo.InvariantCulture) : DefaultDelay);
    }
}

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
            Tell(folder, point);
        }
        var hit = _hits.AddOrUpdate(point, 1, (_, n) => n + 1);
        foreach (var fault in _faults)
        {
            if (fault.Point == point && fault.Hit == hit && (fault.Role.Length == 0 || fault.Role == role) && IsFirst(fault))
                return fault;
        }
        return null;
    }

    /// <summary>A new file starts the count anew.</summary>
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
    private void Tell(string path, string point)
    {
        lock (_gate)
        {
            _log ??= new StreamWriter(Path.Combine(Directory.CreateDirectory(Path.Combine(path, "reached")).FullName, $"{role}.{Environment.ProcessId}.{_read.Ticks}"), append: true) { AutoFlush = true };
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
