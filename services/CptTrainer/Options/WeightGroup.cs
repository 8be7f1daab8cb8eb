using Espalier.Pipelines.Options;

namespace Espalier.CptTrainer.Options;

/// <summary>A group of weights.</summary>
public enum WeightGroup
{
    /// <summary>All.</summary>
    All,

    /// <summary>Routers with their biases.</summary>
    Routers,

    /// <summary>Experts, shared experts and dense feed-forwards.</summary>
    FeedForward,

    /// <summary>Experts.</summary>
    Experts,

    /// <summary>Experts that growth added: all but the first of each group of siblings.</summary>
    NewExperts,

    /// <summary>What every token uses, without embeddings: attention, norms, shared experts, dense feed-forwards.</summary>
    Dense,

    /// <summary>Attention.</summary>
    Attention,

    /// <summary>Norms.</summary>
    Norms,

    /// <summary>Embedding and output head.</summary>
    Embeddings,
}

/// <summary>What the learning rate of groups of weights is multiplied by.</summary>
public sealed record GroupRates
{
    private const double Largest = 1000;

    /// <summary>Of experts that growth added.</summary>
    [Option("Of the experts that growth added: all but the first of each group of siblings.", Min = 0, Max = Largest)]
    public double? NewExperts { get; init; }

    /// <summary>Of all experts.</summary>
    [Option("Of all experts.", Min = 0, Max = Largest)]
    public double? Experts { get; init; }

    /// <summary>Of routers.</summary>
    [Option("Of routers with their biases.", Min = 0, Max = Largest)]
    public double? Routers { get; init; }

    /// <summary>Of norms.</summary>
    [Option("Of norms.", Min = 0, Max = Largest)]
    public double? Norms { get; init; }

    /// <summary>Of attention.</summary>
    [Option("Of attention.", Min = 0, Max = Largest)]
    public double? Attention { get; init; }

    /// <summary>Of embedding and output head.</summary>
    [Option("Of embedding and output head.", Min = 0, Max = Largest)]
    public double? Embeddings { get; init; }

    /// <summary>Of experts, shared experts and dense feed-forwards.</summary>
    [Option("Of experts, shared experts and dense feed-forwards.", Min = 0, Max = Largest)]
    public double? FeedForward { get; init; }

    /// <summary>Of what every token uses.</summary>
    [Option("Of what every token uses, without embeddings: attention, norms, shared experts, dense feed-forwards.", Min = 0, Max = Largest)]
    public double? Dense { get; init; }

    /// <summary>The factor of a group; null where none is given.</summary>
    internal double? Of(WeightGroup group) => group switch
    {
        WeightGroup.NewExperts => NewExperts,
        WeightGroup.Experts => Experts,
        WeightGroup.Routers => Routers,
        WeightGroup.Norms => Norms,
        WeightGroup.Attention => Attention,
        WeightGroup.Embeddings => Embeddings,
        WeightGroup.FeedForward => FeedForward,
        WeightGroup.Dense => Dense,
        _ => null,
    };
}
