namespace Espalier.Cli.Terminals;

/// <summary>Reports how far a copy is, at most once a second; short copies stay silent.</summary>
internal sealed class ByteProgress(Terminal terminal, string verb) : IProgress<(long Done, long Total)>, IDisposable
{
    private static readonly long Interval = System.Diagnostics.Stopwatch.Frequency;
    private readonly long _started = System.Diagnostics.Stopwatch.GetTimestamp();
    private readonly Lock _lock = new();
    private long _said = System.Diagnostics.Stopwatch.GetTimestamp();
    private bool _hasLine;

    public void Report((long Done, long Total) value)
    {
        lock (_lock)
        {
            var now = System.Diagnostics.Stopwatch.GetTimestamp();
            if (now - _said < Interval)
                return;
            _said = now;
            var seconds = System.Diagnostics.Stopwatch.GetElapsedTime(_started).TotalSeconds;
            var left = value.Done == 0 ? "" : $", {Amounts.Time(TimeSpan.FromSeconds(seconds * (value.Total - value.Done) / value.Done))} left";
            var line = $"{verb} {Amounts.Bytes(value.Done)} of {Amounts.Bytes(value.Total)}, {Amounts.Bytes((long)(value.Done / seconds))}/s{left}";
            if (terminal.IsInteractive)
                terminal.Error.Write($"\r\e[K{line}");
            else
                terminal.Say(line);
            _hasLine = terminal.IsInteractive;
        }
    }

    public void Dispose()
    {
        if (_hasLine)
            terminal.Error.Write("\r\e[K");
    }
}
