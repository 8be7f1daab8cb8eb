using System.Globalization;
using System.Text.Json.Serialization;
using Espalier.Contracts;
using Espalier.Modeling;
using Espalier.Tokenizers;
using Espalier.Pipelines.Options;

namespace Espalier.CptTrainer.Options;

/// <summary>Shape of a new model.</summary>
public sealed record ModelOptions
{
    /// <summary>Word for a vocabulary of bytes.</summary>
    public const string Bytes = "bytes";

    private const string SharingFamily = "deepseek";

    /// <summary>Model family.</summary>
    /// <value>olmoe</value>
    [Option("Model family: olmoe has experts; deepseek has experts and shared ones; llama and qwen3 are dense.",
        Choices = ["olmoe", SharingFamily, "llama", "qwen3"])]
    public string Family { get; init; } = ModelFamily.Default;

    /// <summary>Layers.</summary>
    /// <value>4</value>
    [Option("Layers.", Min = 1, Max = 1024)]
    public int Layers { get; init; } = 4;

    /// <summary>Width of the residual stream.</summary>
    /// <value>128</value>
    [Option("Width of the residual stream.", Min = 2, Max = 1 << 17)]
    public int Hidden { get; init; } = 128;

    /// <summary>Attention heads.</summary>
    /// <value>4</value>
    [Option("Attention heads.", Min = 1, Max = 1024)]
    public int Heads { get; init; } = 4;

    /// <summary>Key and value heads.</summary>
    /// <value>as many as heads</value>
    [Option("Key and value heads, a divisor of heads; left out: as many.", Min = 1, Max = 1024)]
    public int? KeyValueHeads { get; init; }

    /// <summary>Experts per layer.</summary>
    /// <value>8</value>
    [Option("Experts per layer; dense families have none.", Min = 1, Max = 1 << 16)]
    public int Experts { get; init; } = 8;

    /// <summary>Experts per token.</summary>
    /// <value>2</value>
    [Option("Experts per token.", Min = 1, Max = 1 << 16)]
    public int TopK { get; init; } = 2;

    /// <summary>Inner width of an expert.</summary>
    /// <value>256</value>
    [Option("Inner width of an expert, or of a dense feed-forward.", Min = 1, Max = 1 << 20)]
    public int ExpertSize { get; init; } = 256;

    /// <summary>Experts that every token passes through.</summary>
    /// <value>0</value>
    [Option("Experts of the same inner width that every token passes through, beside the chosen ones; only with family deepseek.", Min = 0, Max = 1024)]
    public int SharedExperts { get; init; }

    /// <summary><c>bytes</c>, or the size of a byte-level BPE vocabulary to train.</summary>
    /// <value>bytes</value>
    [Option("bytes, or the size of a byte-level BPE vocabulary trained on the data.")]
    [JsonConverter(typeof(TextOrNumberConverter))]
    public string Vocabulary { get; init; } = Bytes;

    /// <summary>Whether the output head is the embedding.</summary>
    /// <value>false</value>
    [Option("Use the embedding as output head.")]
    public bool TieEmbeddings { get; init; }

    /// <summary>Whether gates are divided by their sum.</summary>
    /// <value>false</value>
    [Option("Divide the gates of a token's experts by their sum.")]
    public bool NormalizeTopK { get; init; }

    /// <summary>How router logits become scores.</summary>
    /// <value>softmax</value>
    [Option("How router logits become scores.")]
    public ScoreFunction ScoreFunction { get; init; } = ScoreFunction.Softmax;

    /// <summary>Standard deviation of fresh weights.</summary>
    /// <value>0.02</value>
    [Option("Standard deviation of fresh weights.", Min = 0, Max = 10)]
    public double InitializerRange { get; init; } = 0.02;

    /// <summary>Longest sequence the model is meant for.</summary>
    /// <value>4096</value>
    [Option("Longest sequence the model is meant for.", Min = 2, Max = 1 << 26)]
    public int MaxPositions { get; init; } = 4096;

    /// <summary>Size of the vocabulary to train, or null for bytes.</summary>
    /// <exception cref="UserInputException">Neither <c>bytes</c> nor a number from 257 up.</exception>
    public int? TrainedVocabulary()
    {
        if (Vocabulary == Bytes)
            return null;
        return int.TryParse(Vocabulary, NumberStyles.None, CultureInfo.InvariantCulture, out var size) && size is > 256 and <= 1 << 20
            ? size
            : throw new UserInputException($"model.vocabulary is '{Vocabulary}': write 'bytes', or a vocabulary size from 257 to {1 << 20}.");
    }

    /// <summary>The configuration of a model for <paramref name="tokenizer"/>.</summary>
    /// <exception cref="UserInputException">The numbers do not fit each other.</exception>
    public ModelConfig ToConfig(ITokenizer tokenizer) => ToConfig(tokenizer.VocabularySize, tokenizer.EndTokenId);

    /// <summary>The configuration of a model for a tokenizer of <paramref name="vocabulary"/> ids.</summary>
    /// <exception cref="UserInputException">The numbers do not fit each other.</exception>
    public ModelConfig ToConfig(int vocabulary, int endToken)
    {
        if (Hidden % Heads != 0 || Hidden / Heads % 2 != 0)
            throw new UserInputException($"model.hidden is {Hidden}: it must be an even multiple of model.heads, {Heads}.");
        if (TopK > Experts)
            throw new UserInputException($"model.top-k is {TopK}, more than the {Experts} experts.");
        if (Heads % (KeyValueHeads ?? Heads) != 0)
            throw new UserInputException($"model.key-value-heads is {KeyValueHeads}, which does not divide model.heads, {Heads}.");
        if (SharedExperts > 0 && Family != SharingFamily)
            throw new UserInputException($"model.shared-experts is {SharedExperts}: models of family {Family} have none; write 'family: {SharingFamily}'.");
        var family = ModelFamily.Of(Family);
        var isDense = family.IsDense;
        return new ModelConfig
        {
            Family = Family,
            DenseSize = isDense ? ExpertSize : 0,
            QueryKeyNorm = family.QueryKeyNorm,
            VocabularySize = vocabulary,
            HiddenSize = Hidden,
            Layers = Layers,
            Heads = Heads,
            KeyValueHeads = KeyValueHeads ?? Heads,
            HeadSize = Hidden / Heads,
            Experts = isDense ? 0 : Experts,
            ExpertsPerToken = isDense ? 0 : TopK,
            ExpertSize = isDense ? 0 : ExpertSize,
            SharedSize = SharedExperts * ExpertSize,
            TieEmbeddings = TieEmbeddings,
            NormalizeTopK = NormalizeTopK,
            ScoreFunction = ScoreFunction,
            InitializerRange = InitializerRange,
            MaxPositions = MaxPositions,
            EosTokenId = endToken,
        };
    }
}
