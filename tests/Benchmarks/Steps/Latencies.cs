using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;

namespace Espalier.Benchmarks.Steps;

/// <summary>Times of requests by name.</summary>
internal sealed class Latencies
{
    private readonly ConcurrentDictionary<string, ConcurrentBag<double>> _milliseconds = new(StringComparer.Ordinal);

    private readonly ConcurrentDictionary<string, int> _failures = new(StringComparer.Ordinal);

    /// <summary>Adds the time since a timestamp.</summary>
    public void Add(string name, long began) => _milliseconds.GetOrAdd(name, _ => []).Add(Stopwatch.GetElapsedTime(began).TotalMilliseconds);

    /// <summary>Counts something that went wrong.</summary>
    public void Fail(string what) => _failures.AddOrUpdate(what, 1, (_, before) => before + 1);

    /// <summary>Forgets the times that came before; not what went wrong.</summary>
    public void Clear() => _milliseconds.Clear();

    /// <summary>Prints a table.</summary>
    public void Say()
    {
        Console.WriteLine("\n| request | number | p50 ms | p95 ms | p99 ms | max ms |\n|---|---|---|---|---|---|");
        foreach (var (name, times) in _milliseconds.OrderBy(t => t.Key, StringComparer.Ordinal))
        {
            var sorted = times.Order().ToList();
            double At(double share) => sorted[Math.Min(sorted.Count - 1, (int)(sorted.Count * share))];
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {name} | {sorted.Count} | {At(0.5):0.0} | {At(0.95):0.0} | {At(0.99):0.0} | {sorted[^1]:0.0} |"));
        }
        foreach (var (what, times) in _failures)
            Console.WriteLine($"\nFAILED {times} times: {what}");
    }
}
