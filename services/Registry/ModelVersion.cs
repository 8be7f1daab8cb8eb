using Espalier.Contracts;

namespace Espalier.Registry;

/// <summary>One immutable version of a named model; only its tags, description, aliases and signatures change.</summary>
public sealed record ModelVersion
{
    /// <summary>Number over all models, in the order of registration.</summary>
    public long Id { get; init; }

    /// <summary>Model name.</summary>
    public required string Model { get; init; }

    /// <summary>Version, from 1.</summary>
    public required int Version { get; init; }

    /// <summary>Checkpoint manifest.</summary>
    public required Digest Root { get; init; }

    /// <summary>Logical size in bytes.</summary>
    public required long SizeBytes { get; init; }

    /// <summary>Bytes that no other artifact of its ancestry has.</summary>
    public long NewBytes { get; init; }

    /// <summary>The step that registered it; equal keys register once.</summary>
    public required Digest StepKey { get; init; }

    /// <summary>The run it came from; empty for an import.</summary>
    public Guid RunId { get; init; }

    /// <summary>Step that made the checkpoint; empty for an import.</summary>
    public string Step { get; init; } = "";

    /// <summary>Where an import came from; empty for the result of a run.</summary>
    public string Origin { get; init; } = "";

    /// <summary>What it is, in Markdown: the generated part.</summary>
    public string Card { get; init; } = "";

    /// <summary>Free text that users added.</summary>
    public string Description { get; init; } = "";

    /// <summary>When it was registered.</summary>
    public DateTimeOffset CreatedAt { get; init; }

    /// <summary>Facts of its configuration.</summary>
    public ModelShape Shape { get; init; } = new();

    /// <summary>Aliases that point here.</summary>
    public IReadOnlyList<string> Aliases { get; init; } = [];

    /// <summary>Tags.</summary>
    public IReadOnlyDictionary<string, string> Tags { get; init; } = new Dictionary<string, string>();

    /// <summary>Metrics by name.</summary>
    public IReadOnlyDictionary<string, double> Metrics { get; init; } = new Dictionary<string, double>();

    /// <summary>Metrics with their intervals, by name.</summary>
    public IReadOnlyDictionary<string, Measure> Measures { get; init; } = new Dictionary<string, Measure>();

    /// <summary>How many signatures it has.</summary>
    public int Signatures { get; init; }
}

/// <summary>A metric's value and, where it was measured with one, its 95 % interval.</summary>
public sealed record Measure(double Value, double? Low = null, double? High = null)
{
    /// <summary>Folds <c>NAME-low</c> and <c>NAME-high</c> into <c>NAME</c>.</summary>
    public static IReadOnlyDictionary<string, Measure> Fold(IReadOnlyDictionary<string, double> metrics)
    {
        var folded = new SortedDictionary<string, Measure>(StringComparer.Ordinal);
        foreach (var (name, value) in metrics)
        {
            if (!IsEnd(name, "-low") && !IsEnd(name, "-high"))
                folded[name] = new Measure(value, Find(name + "-low"), Find(name + "-high"));
        }
        return folded;

        bool IsEnd(string name, string ending) => name.EndsWith(ending, StringComparison.Ordinal) && metrics.ContainsKey(name[..^ending.Length]);
        double? Find(string name) => metrics.TryGetValue(name, out var end) ? end : null;
    }
}

/// <summary>What a model's tensors and configuration say; an empty family and zeros where there is no configuration.</summary>
public sealed record ModelShape
{
    /// <summary>Model family.</summary>
    public string Family { get; init; } = "";

    /// <summary>All weights.</summary>
    public long TotalParameters { get; init; }

    /// <summary>Weights that one token uses.</summary>
    public long ActiveParameters { get; init; }

    /// <summary>Decoder layers.</summary>
    public int Layers { get; init; }

    /// <summary>Experts of a layer.</summary>
    public int Experts { get; init; }

    /// <summary>Experts that a token uses.</summary>
    public int ExpertsPerToken { get; init; }
}

/// <summary>What happened to an alias.</summary>
public enum AliasMoveKind
{
    /// <summary>It points to another version.</summary>
    Moved,

    /// <summary>It points again to where it pointed before its last move.</summary>
    Reverted,

    /// <summary>It is gone.</summary>
    Removed,
}

/// <summary>An alias pointed to another version; to none (0) when it was removed.</summary>
public sealed record AliasMove(
    string Alias, int Version, int? Previous, string Actor, string Reason, DateTimeOffset MovedAt, AliasMoveKind Kind = AliasMoveKind.Moved)
{
    /// <summary>Its place in the history: a later move has a larger number. 0 for a move that is not recorded yet.</summary>
    public long Number { get; init; }
}
