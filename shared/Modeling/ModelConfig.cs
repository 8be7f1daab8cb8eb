using System.Text.Json.Nodes;

namespace Espalier.Modeling;

/// <summary>How router logits become scores.</summary>
public enum ScoreFunction
{
    /// <summary>Softmax over all experts.</summary>
    Softmax,

    /// <summary>Sigmoid of each expert's own logit.</summary>
    Sigmoid,
}

/// <summary>How a stored model's weights are packed (compressed-tensors, <c>pack-quantized</c>).</summary>
/// <param name="Bits">Bits per weight: 4 or 8.</param>
/// <param name="GroupSize">Input columns that share one scale; -1 for one scale per output row.</param>
/// <param name="Symmetric">False when zero points are stored.</param>
public sealed record WeightQuantization(int Bits, int GroupSize, bool Symmetric);

/// <summary>
/// The shape and conventions of a mixture-of-experts decoder, as <c>config.json</c> states them. Keys that the platform
/// does not know survive a round trip.
/// </summary>
public sealed partial record ModelConfig
{
    /// <summary>Model family, the file's <c>model_type</c>.</summary>
    /// <value>olmoe</value>
    public string Family { get; init; } = "olmoe";

    /// <summary>Number of token ids, V.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream, H.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Decoder layers, L; each has an MoE block.</summary>
    public required int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key and value heads; a divisor of <see cref="Heads"/>.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Width of one head, D.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Routed experts per layer, E.</summary>
    public required int Experts { get; init; }

    /// <summary>Experts that each token uses, K.</summary>
    public required int ExpertsPerToken { get; init; }

    /// <summary>Inner width of one expert, F.</summary>
    public required int ExpertSize { get; init; }

    /// <summary>Base of the rotary angles.</summary>
    /// <value>10000</value>
    public double RopeTheta { get; init; } = 10_000;

    /// <summary>Added to the mean square in RMSNorm.</summary>
    /// <value>1e-5</value>
    public double NormEpsilon { get; init; } = 1e-5;

    /// <summary>Whether the output head is the embedding matrix.</summary>
    public bool TieEmbeddings { get; init; }

    /// <summary>Whether the K gates are divided by their sum.</summary>
    public bool NormalizeTopK { get; init; }

    /// <summary>How router logits become scores.</summary>
    /// <value>softmax</value>
    public ScoreFunction ScoreFunction { get; init; } = ScoreFunction.Softmax;

    /// <summary>Queries, keys and values are clamped to [-c, c] when set.</summary>
    public double? ClipQkv { get; init; }

    /// <summary>Longest sequence the model was made for.</summary>
    /// <value>4096</value>
    public int MaxPositions { get; init; } = 4096;

    /// <summary>Standard deviation of fresh weights.</summary>
    /// <value>0.02</value>
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Weight of the load-balancing loss that the checkpoint was trained with, <c>router_aux_loss_coef</c>.</summary>
    /// <value>0.01</value>
    public double BalanceCoefficient { get; init; } = 0.01;

    /// <summary>First id of <c>eos_token_id</c>, or null.</summary>
    public int? EosTokenId { get; init; }

    /// <summary>Element type of the stored weights: <c>float32</c>, <c>bfloat16</c> or <c>float16</c>.</summary>
    /// <value>float32</value>
    public string WeightType { get; init; } = "float32";

    /// <summary>Set when weights are stored packed; they are expanded while loading.</summary>
    public WeightQuantization? Quantization { get; init; }

    /// <summary>Per layer, the sibling group of each expert: experts grown from one source share a group. Null when none is recorded.</summary>
    public IReadOnlyList<IReadOnlyList<int>>? SiblingGroups { get; init; }

    /// <summary>
    /// Whether tokens choose K sibling groups and then one member by rule, instead of K experts freely. Exact right
    /// after growth by copies, whatever K, gate or group sizes.
    /// </summary>
    public bool SiblingExclusive { get; init; }

    /// <summary>For a model that was grown with more experts per token than it shall end with: the number to return to.</summary>
    public int? TargetExpertsPerToken { get; init; }

    /// <summary>The file this was read from, for keys that are not ours.</summary>
    private JsonObject? Source { get; init; }

    /// <summary>All weights, in elements; the embedding counts once when it is tied.</summary>
    public long TotalParameters =>
        EmbeddingParameters + Layers * (AttentionParameters + NormParameters + (long)Experts * HiddenSize + Experts * ExpertParameters) + HiddenSize;

    /// <summary>Weights that take part in one token's forward pass: everything but the experts that were not chosen.</summary>
    public long ActiveParameters => TotalParameters - Layers * (Experts - Math.Min(ExpertsPerToken, Experts)) * ExpertParameters;

    /// <summary>Weights of one expert, 3 H F.</summary>
    public long ExpertParameters => 3L * HiddenSize * ExpertSize;

    private long EmbeddingParameters => (TieEmbeddings ? 1L : 2L) * VocabularySize * HiddenSize;

    private long AttentionParameters => 2L * HiddenSize * HeadSize * (Heads + KeyValueHeads) + (long)HeadSize * (Heads + KeyValueHeads);

    private long NormParameters => 2L * HiddenSize;

    /// <summary>A model small enough for unit tests: 2 layers, 4 experts, width 32.</summary>
    public static ModelConfig Tiny(int vocabulary = 258) => new()
    {
        VocabularySize = vocabulary,
        HiddenSize = 32,
        Layers = 2,
        Heads = 4,
        KeyValueHeads = 4,
        HeadSize = 8,
        Experts = 4,
        ExpertsPerToken = 2,
        ExpertSize = 24,
        MaxPositions = 128,
    };
}
