using System.Text.Json.Nodes;

namespace Espalier.Pruner.Calibration;

/// <summary>Sums over the calibration text for one layer, in float64: tokens per expert, and named sums per expert of any width.</summary>
/// <param name="experts">Experts, E.</param>
/// <param name="width">Neurons per expert, F.</param>
/// <param name="collected">Names of the sums that are kept; all when left out.</param>
public sealed class LayerSums(int experts, int width, IReadOnlyList<string>? collected = null)
{
    private readonly SortedDictionary<string, double[][]> _sums = new(StringComparer.Ordinal);

    /// <summary>Experts, E.</summary>
    public int Experts { get; } = experts;

    /// <summary>Neurons per expert, F.</summary>
    public int Width { get; } = width;

    /// <summary>Tokens routed to each expert, T_e.</summary>
    public long[] Tokens { get; } = new long[experts];

    /// <summary>Sum of the combine weights of each expert's tokens.</summary>
    public double[] Gates { get; } = new double[experts];

    /// <summary>Largest magnitude in each expert's output, before the combine weight.</summary>
    public double[] Largest { get; } = new double[experts];

    /// <summary>Experts that no calibration token reached.</summary>
    public IReadOnlyList<int> Unrouted => [.. Enumerable.Range(0, Experts).Where(e => Tokens[e] == 0)];

    /// <summary>Names of the sums that something was added to.</summary>
    public IReadOnlyCollection<string> Names => _sums.Keys;

    /// <summary>Whether a sum is kept.</summary>
    public bool IsCollected(string name) => collected is null || collected.Contains(name);

    /// <summary>Adds to a sum of one expert.</summary>
    public void Add(string name, int expert, ReadOnlySpan<double> values)
    {
        if (!_sums.TryGetValue(name, out var sums))
            _sums[name] = sums = new double[Experts][];
        var sum = sums[expert] ??= new double[values.Length];
        for (var i = 0; i < values.Length; i++)
            sum[i] += values[i];
    }

    /// <summary>Keeps the larger of each number and what is there already, which begins at 0; for magnitudes, under a name of their own.</summary>
    public void Raise(string name, int expert, ReadOnlySpan<double> values)
    {
        Add(name, expert, new double[values.Length]);
        var largest = _sums[name][expert];
        for (var i = 0; i < values.Length; i++)
            largest[i] = Math.Max(largest[i], values[i]);
    }

    /// <summary>A sum of one expert; zeros when nothing was added.</summary>
    public IReadOnlyList<double> Sum(string name, int expert, int length) =>
        _sums.TryGetValue(name, out var sums) && sums[expert] is { } sum ? sum : new double[length];

    /// <summary>Everything, for the cursor. Numbers survive exactly.</summary>
    public JsonObject Save() => new()
    {
        ["tokens"] = new JsonArray([.. Tokens.Select(t => (JsonNode)t)]),
        ["gates"] = Numbers(Gates),
        ["largest"] = Numbers(Largest),
        ["sums"] = new JsonObject(_sums.Select(s => KeyValuePair.Create(
            s.Key, (JsonNode?)new JsonArray([.. s.Value.Select(v => v is null ? null : Numbers(v))])))),
    };

    /// <summary>Takes back what <see cref="Save"/> gave.</summary>
    public void Restore(JsonObject saved)
    {
        for (var expert = 0; expert < Experts; expert++)
        {
            Tokens[expert] = saved["tokens"]![expert]!.GetValue<long>();
            Gates[expert] = saved["gates"]![expert]!.GetValue<double>();
            Largest[expert] = saved["largest"]![expert]!.GetValue<double>();
            foreach (var (name, perExpert) in saved["sums"]!.AsObject())
                if (perExpert![expert] is JsonArray values)
                    Add(name, expert, [.. values.Select(v => v!.GetValue<double>())]);
        }
    }

    private static JsonArray Numbers(double[] values) => new([.. values.Select(v => (JsonNode)v)]);
}
