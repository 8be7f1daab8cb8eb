using System.Collections;
using Espalier.Evaluator.Statistics;

namespace Espalier.Evaluator.Tasks;

/// <summary>Numbers by name: an interval gives <c>NAME</c>, <c>NAME-low</c> and <c>NAME-high</c>; what is null is left out.</summary>
internal sealed class MetricTable : IEnumerable<KeyValuePair<string, double>>
{
    private readonly SortedDictionary<string, double> _values = new(StringComparer.Ordinal);

    /// <summary>Adds one number.</summary>
    public void Add(string name, double? value)
    {
        if (value is { } number)
            _values[name] = number;
    }

    /// <summary>Adds an estimate with its bounds.</summary>
    public void Add(string name, Interval interval)
    {
        Add(name, interval.Value);
        Add($"{name}-low", interval.Low);
        Add($"{name}-high", interval.High);
    }

    /// <summary>What an estimate with its bounds is called.</summary>
    public static string[] NamesOfInterval(string name) => [name, $"{name}-low", $"{name}-high"];

    /// <summary>What a difference with its bounds is called.</summary>
    public static string[] NamesOfDifference(string name) => [.. NamesOfInterval(name), $"{name}-lower-bound", $"{name}-upper-bound"];

    /// <summary>Adds a difference with its two-sided and one-sided bounds.</summary>
    public void Add(string name, PairedComparison? comparison)
    {
        if (comparison is null)
            return;
        Add(name, comparison.Difference);
        Add($"{name}-lower-bound", comparison.LowerBound);
        Add($"{name}-upper-bound", comparison.UpperBound);
    }

    /// <summary>Adds another table's numbers with a text in front of their names.</summary>
    public void AddAll(string prefix, MetricTable other)
    {
        foreach (var (name, value) in other)
            Add(prefix + name, value);
    }

    /// <summary>The numbers, by name.</summary>
    public IReadOnlyDictionary<string, double> ToDictionary() => _values;

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, double>> GetEnumerator() => _values.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
