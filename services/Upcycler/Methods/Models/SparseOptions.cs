using Espalier.Pipelines.Options;

namespace Espalier.Upcycler.Methods.Models;

/// <summary>What becomes of the dense feed-forward beside the experts that are made of it.</summary>
public enum SharedExpert
{
    /// <summary>Nothing: experts take its place.</summary>
    None,

    /// <summary>It stays, always on; the experts' output starts at zero, so that the function is the same.</summary>
    Dense,
}

/// <summary>Options of the methods that make experts of dense layers.</summary>
[MethodOptions(typeof(UpcycleOptions), "sparse")]
[MethodOptions(typeof(UpcycleOptions), "drop")]
[MethodOptions(typeof(UpcycleOptions), "mote")]
public sealed record SparseOptions
{
    /// <summary>Experts per layer.</summary>
    /// <value>8</value>
    [Option("Experts per layer.", Min = 1, Max = 1 << 16)]
    public int Experts { get; init; } = 8;

    /// <summary>Experts per token.</summary>
    /// <value>2</value>
    [Option("Experts per token.", Min = 1, Max = 1 << 16)]
    public int TopK { get; init; } = 2;

    /// <summary>Layers that get experts.</summary>
    /// <value>all</value>
    [Option("Layers that get experts, from 0; all when left out.", Min = 0, Max = 1023)]
    public IReadOnlyList<int>? Layers { get; init; }

    /// <summary>Family that the model becomes.</summary>
    /// <value>the one that the dense family's weights fit into</value>
    [Option("Family that the model becomes, such as qwen2_moe, which says in which layers experts are; left out: the one that the weights fit into.")]
    public string? Family { get; init; }

    /// <summary>Standard deviation of the fresh router.</summary>
    /// <value>0.02</value>
    [Option("Standard deviation of the fresh router.", Min = 1e-6, Max = 10)]
    public double RouterSpread { get; init; } = 0.02;

    /// <summary>Whether gates are divided by their sum, which makes identical experts exact.</summary>
    /// <value>true</value>
    [Option("Divide the gates of a token's experts by their sum: with identical experts the function then stays the same.")]
    public bool NormalizeTopK { get; init; } = true;

    /// <summary>What becomes of the dense feed-forward.</summary>
    /// <value>none; mote: dense</value>
    [Option("none: experts take the feed-forward's place; dense: it stays as a shared expert and the experts' output starts at zero.")]
    public SharedExpert? Shared { get; init; }

    /// <summary>Share of each expert's neurons that drop draws anew.</summary>
    /// <value>0.5</value>
    [Option("drop: share of each expert's neurons that is drawn anew.", Min = 0, Max = 1)]
    public double Ratio { get; init; } = 0.5;
}
