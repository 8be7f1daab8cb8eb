using System.Diagnostics;
using System.Globalization;

namespace Espalier.Benchmarks.Steps;

/// <summary>Resident memory of a process over time.</summary>
internal sealed class LoadMemory(int process)
{
    private readonly List<(double Minutes, double Megabytes)> _samples = [];
    private readonly long _began = Stopwatch.GetTimestamp();

    /// <summary>Takes a sample.</summary>
    public void Take()
    {
        using var now = Process.GetProcessById(process);
        _samples.Add((Stopwatch.GetElapsedTime(_began).TotalMinutes, now.WorkingSet64 / 1048576.0));
    }

    /// <summary>Processor time that it has used.</summary>
    public TimeSpan Processor()
    {
        using var now = Process.GetProcessById(process);
        return now.TotalProcessorTime;
    }

    /// <summary>Prints the slope of the best line through the second half of the samples.</summary>
    public void Say()
    {
        var late = _samples.Skip(_samples.Count / 2).ToList();
        var (x, y) = (late.Average(s => s.Minutes), late.Average(s => s.Megabytes));
        var slope = late.Sum(s => (s.Minutes - x) * (s.Megabytes - y)) / late.Sum(s => (s.Minutes - x) * (s.Minutes - x));
        var quarter = _samples.Count / 4;
        Console.WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"\nMemory of the orchestrator: {_samples.Take(quarter).Average(s => s.Megabytes):0} MB in the first quarter, "
            + $"{_samples.TakeLast(quarter).Average(s => s.Megabytes):0} MB in the last, {_samples.Max(s => s.Megabytes):0} MB at most; "
            + $"{slope:+0.0;-0.0} MB a minute over the second half"));
    }
}
