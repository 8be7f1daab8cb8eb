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

/// <summary>How a stored model's weights are packed.</summary>
/// <param name="Bits">Bits per weight.</param>
/// <param name="GroupSize">Input columns that share one scale; -1 for one scale per output row, 0 for one per matrix.</param>
/// <param name="Symmetric">False when zero points are stored.</param>
public sealed record WeightQuantization(int Bits, int GroupSize, bool Symmetric)
{
    /// <summary>Value of <see cref="GroupSize"/> for one scale per matrix.</summary>
    public const int PerTensor = 0;

    /// <summary>Name of the <see cref="WeightFormats.IWeightFormat"/>.</summary>
    /// <value>pack-quantized</value>
    public string Format { get; init; } = WeightFormats.WeightFormat.Default;

    /// <summary>Further kinds of codes in the same model. Which one a matrix has, its tensors say.</summary>
    public IReadOnlyList<WeightQuantization> Others { get; init; } = [];

    /// <summary>All kinds of codes, this one first.</summary>
    public IEnumerable<WeightQuantization> Kinds => Others.Prepend(this);

    /// <summary>Modules with this kind of codes, for a <c>config.json</c> that is still to be written; null for all that no other kind names.</summary>
    public IReadOnlyList<string>? Modules { get; init; }

    /// <summary>Linear modules that keep their weights, for a <c>config.json</c> that is still to be written; null when it is not said.</summary>
    public IReadOnlyList<string>? KeptModules { get; init; }

    /// <summary>Whether columns were rounded in another order than they are stored in, which some readers are told.</summary>
    public bool ReordersColumns { get; init; }
}

/// <summary>
/// The shape and conventions of a decoder, as <c>config.json</c> states them: a mixture of experts, or a dense model to
/// grow one from (no experts). Keys that the platform does not know survive a round trip.
/// </summary>
public sealed partial record ModelConfig
{
    /// <summary>Model family, the file's <c>model_type</c>.</summary>
    /// <value>olmoe</value>
    public string Family { get; init; } = ModelFamily.Default;

    /// <summary>Number of token ids, V.</summary>
    public required int VocabularySize { get; init; }

    /// <summary>Width of the residual stream, H.</summary>
    public required int HiddenSize { get; init; }

    /// <summary>Decoder layers, L; each has an MoE block, except <see cref="DenseLayers"/> and all layers of a dense family.</summary>
    public required int Layers { get; init; }

    /// <summary>Query heads.</summary>
    public required int Heads { get; init; }

    /// <summary>Key and value heads; a divisor of <see cref="Heads"/>.</summary>
    public required int KeyValueHeads { get; init; }

    /// <summary>Width of one head of queries and keys, D.</summary>
    public required int HeadSize { get; init; }

    /// <summary>Routed experts per MoE layer, E; 0 in a dense family.</summary>
    public required int Experts { get; init; }

    /// <summary>Experts that each token uses, K.</summary>
    public required int ExpertsPerToken { get; init; }

    /// <summary>Inner width of one expert, F.</summary>
    public required int ExpertSize { get; init; }

    /// <summary>Inner width of the MLP of dense layers; 0 when there are none.</summary>
    public int DenseSize { get; init; }

    /// <summary>Layers of a mixture that have a dense MLP instead of experts, ascending.</summary>
    /// <value>none</value>
    public IReadOnlyList<int> DenseLayers { get; init; } = [];

    /// <summary>Inner width of the shared experts, taken together as one MLP that every token uses; 0 for none.</summary>
    public int SharedSize { get; init; }

    /// <summary>Whether the shared expert's output is multiplied by the sigmoid of a learned projection of its input.</summary>
    public bool SharedGate { get; init; }

    /// <summary>How queries and keys are normed.</summary>
    /// <value>whole, as OLMoE does</value>
    public QueryKeyNorm QueryKeyNorm { get; init; } = QueryKeyNorm.Whole;

    /// <summary>Whether the projections of queries, keys and values have biases.</summary>
    public bool QueryKeyValueBias { get; init; }

    /// <summary>Whether attention's output projection has a bias.</summary>
    public bool OutputBias { get; init; }

    /// <summary>Set for latent attention; <see cref="HeadSize"/> is then the plain and the rotary part together.</summary>
    public LatentAttention? Latent { get; init; }

    /// <summary>How rotary angles are stretched, or null.</summary>
    public RopeScaling? RopeScaling { get; init; }

    /// <summary>How many of the last positions a query sees in <see cref="WindowedLayers"/>.</summary>
    public int? SlidingWindow { get; init; }

    /// <summary>Layers whose attention is limited to <see cref="SlidingWindow"/>.</summary>
    public IReadOnlyList<int> WindowedLayers { get; init; } = [];

    /// <summary>What the gates of routed experts are multiplied by at the end.</summary>
    /// <value>1</value>
    public double RoutedScale { get; init; } = 1;

    /// <summary>Equal groups of neighbouring experts that tokens choose from first; 1 for a free choice.</summary>
    /// <value>1</value>
    public int ExpertGroups { get; init; } = 1;

    /// <summary>How many <see cref="ExpertGroups"/> a token's experts may come from.</summary>
    /// <value>1</value>
    public int ChosenGroups { get; init; } = 1;

    /// <summary>How many of a group's largest scores add up to the group's score: 1 in DeepSeek-V2, 2 in DeepSeek-V3.</summary>
    /// <value>1</value>
    public int GroupScoreMembers { get; init; } = 1;

    /// <summary>Layers beyond <see cref="Layers"/> whose tensors the checkpoint holds for predicting several tokens; they are not run.</summary>
    public int ExtraLayers { get; init; }

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

    /// <summary>
    /// Longest sequence that the model can be run on: <see cref="MaxPositions"/>, or what its scaled rotary angles reach. Where no
    /// length is asked for, <see cref="MaxPositions"/> is the better default.
    /// </summary>
    public int LongestInput => RopeScaling is { } scaling ? Math.Max(MaxPositions, scaling.Reach(MaxPositions)) : MaxPositions;

    /// <summary><see cref="LongestInput"/> for a message, with the keys that it comes from.</summary>
    public string DescribeLongestInput() => LongestInput == MaxPositions ? $"{MaxPositions} positions (max_position_embeddings)"
        : $"{LongestInput} positions (max_position_embeddings {MaxPositions}, stretched by rotary scaling of factor {RopeScaling!.Factor:g})";

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

    /// <summary>Whether routed experts are used with ternary weights, see <see cref="Ternary"/>; stored ones are latent.</summary>
    public bool TernaryExperts { get; init; }

    /// <summary>
    /// A token takes its best experts until their probabilities add up to more than this, and at most <see cref="ExpertsPerToken"/>; null for
    /// always as many (arXiv 2403.07652).
    /// </summary>
    public double? TopP { get; init; }

    /// <summary>How routers are trained. Rows of k-means routers have length 1, and compute what plain ones do.</summary>
    public RouterKind Router { get; init; }

    /// <summary>Numbers of experts per token that the model was trained with, when there were several; null for one.</summary>
    public ElasticExperts? Elastic { get; init; }

    /// <summary>For a model that was grown with more experts per token than it shall end with: the number to return to.</summary>
    public int? TargetExpertsPerToken { get; init; }

    private const string OwnCodeKey = "auto_map";

    /// <summary>Whether it names code of the model's own, for other loaders.</summary>
    public bool HasOwnCode => Source?.ContainsKey(OwnCodeKey) == true;

    /// <summary>The file this was read from, for keys that are not ours.</summary>
    private JsonObject? Source { get; init; }

    /// <summary>Layers with an MoE block, ascending.</summary>
    public IReadOnlyList<int> SparseLayers => [.. Enumerable.Range(0, Layers).Where(IsSparse)];

    /// <summary>Whether layer <paramref name="layer"/> has an MoE block.</summary>
    public bool IsSparse(int layer) => Experts > 0 && !DenseLayers.Contains(layer);

    /// <summary>Whether a tensor belongs to one of the <see cref="ExtraLayers"/>.</summary>
    public bool IsInExtraLayer(string tensor) => TensorNames.LayerOf(tensor) is { } layer && layer >= Layers && layer < Layers + ExtraLayers;

    /// <summary>Whether there is any MoE block.</summary>
    public bool IsMixture => Experts > 0 && DenseLayers.Count < Layers;

    /// <summary>All weights, in elements; the embedding counts once when it is tied.</summary>
    public long TotalParameters =>
        EmbeddingParameters + HiddenSize + Layers * (AttentionParameters + 2L * HiddenSize)
            + SparseCount * ((long)Experts * HiddenSize + Experts * ExpertParameters + SharedParameters)
            + (Layers - SparseCount) * 3L * HiddenSize * DenseSize;

    /// <summary>Weights that take part in one token's forward pass: everything but the experts that were not chosen.</summary>
    public long ActiveParameters => TotalParameters - SparseCount * (Experts - Math.Min(ExpertsPerToken, Experts)) * ExpertParameters;

    /// <summary>Weights of one expert, 3 H F.</summary>
    public long ExpertParameters => 3L * HiddenSize * ExpertSize;

    /// <summary>Weights of one layer's attention, norms and biases of its projections included.</summary>
    public long AttentionParameters => Latent is { } latent ? LatentParameters(latent) :
        2L * HiddenSize * HeadSize * (Heads + KeyValueHeads)
            + QueryKeyNorm switch { QueryKeyNorm.Whole => (long)HeadSize * (Heads + KeyValueHeads), QueryKeyNorm.PerHead => 2L * HeadSize, _ => 0 }
            + (QueryKeyValueBias ? (long)HeadSize * (Heads + 2L * KeyValueHeads) : 0) + (OutputBias ? HiddenSize : 0);

    /// <summary>Width of one head of values.</summary>
    public int ValueSize => Latent?.ValueSize ?? HeadSize;

    private int SparseCount => Experts > 0 ? Layers - DenseLayers.Count : 0;

    private long SharedParameters => 3L * HiddenSize * SharedSize + (SharedGate && SharedSize > 0 ? HiddenSize : 0);

    private long EmbeddingParameters => (TieEmbeddings ? 1L : 2L) * VocabularySize * HiddenSize;

    /// <summary>This model cut down to one of its layers: conventions as they are, <see cref="Layers"/> 1.</summary>
    public ModelConfig OnlyLayer(int layer) => this with
    {
        Layers = 1,
        DenseLayers = Experts == 0 || IsSparse(layer) ? [] : [0],
        WindowedLayers = WindowedLayers.Contains(layer) ? [0] : [],
        SiblingGroups = SiblingGroups is { } groups ? [groups[layer]] : null,
        SiblingExclusive = SiblingExclusive && IsSparse(layer),
        ExtraLayers = 0,
    };

    private long LatentParameters(LatentAttention latent)
    {
        var (query, width) = ((long)Heads * HeadSize, (long)HiddenSize);
        var queries = latent.QueryRank is { } rank ? rank * (width + query + 1) + (QueryKeyValueBias ? rank : 0) : width * query;
        var keys = (latent.KeyValueRank + (long)latent.RotarySize) * (width + (QueryKeyValueBias ? 1 : 0)) + latent.KeyValueRank;
        return queries + keys + latent.KeyValueRank * (long)Heads * (latent.PlainSize + latent.ValueSize)
            + width * Heads * latent.ValueSize + (OutputBias ? width : 0);
    }

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
