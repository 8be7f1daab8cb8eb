using System.Text.Json.Serialization;
using Espalier.CptTrainer.Training;
using Espalier.Modeling;
using Espalier.Modeling.Training;
using Espalier.Pipelines.Options;
using Espalier.Tokenizers;

namespace Espalier.CptTrainer.Options;

/// <summary>Type of numbers: of the forward and backward pass, or of the master weights. Moments are float32 either way.</summary>
public enum Precision
{
    /// <summary>float32.</summary>
    Fp32,

    /// <summary>bfloat16 activations and weights where they are used; with fused kernels only the factors of products with weights.</summary>
    Bf16,
}

/// <summary>Where the optimizer's moments come from when training goes on from a checkpoint.</summary>
public enum OptimizerStart
{
    /// <summary>Zero moments.</summary>
    Reset,

    /// <summary>The trainer-state among the step's inputs.</summary>
    Continue,
}

/// <summary>What the selection bias of loss-free balancing is at the end of a run.</summary>
public enum SelectionBiasEnd
{
    /// <summary>Part of the model.</summary>
    Keep,

    /// <summary>Led to zero and left out.</summary>
    Fold,
}

/// <summary>Options of the stage <c>train</c>.</summary>
public sealed record TrainOptions
{
    /// <summary>Checkpoint to continue from.</summary>
    [Option("Model to continue from; may be left out when the step has one model among its needs.", Kind = OptionKind.Model)]
    public string? From { get; init; }

    /// <summary>Shape of a new model; only without a checkpoint.</summary>
    [Option("Shape of a new model, when training does not continue from one.")]
    public ModelOptions? Model { get; init; }

    /// <summary>Text to train on.</summary>
    [Option("Text to train on.", Kind = OptionKind.Dataset, Required = true)]
    public string? Data { get; init; }

    /// <summary>Share of each domain; the dataset's own sizes when left out.</summary>
    [Option("Weight of each domain of the data, by name; domains left out get none. By size when empty.", Min = 0, Max = 1e9)]
    public IReadOnlyDictionary<string, double>? Mixture { get; init; }

    /// <summary>Mixtures one after the other.</summary>
    [Option("Mixtures one after the other instead of one 'mixture' (a data curriculum): each stage but the last with the share of the run at which it ends.")]
    public IReadOnlyList<CurriculumStage>? Curriculum { get; init; }

    /// <summary>Which sequences are trained on when.</summary>
    /// <value>all, shuffled</value>
    [Option("Train on sequences by the loss that the model has on them before training, some groups of them at a time; left out: on all, shuffled.")]
    public PruneSamplesOptions? PruneSamples { get; init; }

    /// <summary>Tokens to train on, rounded up to whole steps.</summary>
    [Option("Tokens to train on, rounded up to whole optimizer steps.", Kind = OptionKind.Count, Required = true, Min = 1, Max = 1e15)]
    public long Tokens { get; init; }

    /// <summary>Tokens of the data's order that earlier steps have read, rounded up to whole optimizer steps.</summary>
    /// <value>0</value>
    [Option("Tokens of this seed's order of the data to pass over, because an earlier step of the same seed, length and batch has read them.",
        Kind = OptionKind.Count, Min = 0, Max = 1e15)]
    public long Skip { get; init; }

    /// <summary>Whether documents begin with the beginning-of-text token.</summary>
    /// <value>tokenizer</value>
    [Option("Whether documents begin with the beginning-of-text token: as the tokenizer's own configuration says, always, or never.")]
    public BosUse Bos { get; init; } = BosUse.Tokenizer;

    /// <summary>Where tokens come from when training goes on from a model.</summary>
    /// <value>model</value>
    [Option("Where tokens come from when training goes on from a model: its own files; bytes: UTF-8 bytes where it has no tokenizer of any kind.")]
    public TokenizerChoice Tokenizer { get; init; } = TokenizerChoice.Model;

    /// <summary>Tokens per sequence.</summary>
    /// <value>128</value>
    [Option("Tokens per sequence.", Min = 2, Max = 1 << 20)]
    public int Length { get; init; } = 128;

    /// <summary>Whether attention stays within documents.</summary>
    /// <value>false</value>
    [Option("Let a token attend only to tokens of its own document, where a sequence holds several (intra-document masking); left out: to all before it.")]
    public bool? DocumentMask { get; init; }

    /// <summary>Sequences per micro-batch.</summary>
    /// <value>16</value>
    [Option("Sequences per micro-batch; auto: tokens of a step by the Step Law, in micro-batches whose activations take 2 GiB at most.",
        Min = 1, Max = 1 << 16, Choices = [StepLaw.Word])]
    [JsonConverter(typeof(NumberOrAutoConverter<int>))]
    public int Batch { get; init; } = 16;

    /// <summary>Micro-batches per optimizer step.</summary>
    /// <value>1</value>
    [Option("Micro-batches per optimizer step.", Min = 1, Max = 1 << 16)]
    public int Accumulate { get; init; } = 1;

    /// <summary>Largest learning rate.</summary>
    /// <value>0.001</value>
    [Option("Largest learning rate; auto: by the Step Law, from the weights beside the vocabulary's and the tokens, for training from scratch; "
        + "much too large for a model that is trained already.", Min = 0, Max = 10, Choices = [StepLaw.Word])]
    [JsonConverter(typeof(NumberOrAutoConverter<double>))]
    public double LearningRate { get; init; } = 1e-3;

    /// <summary>Shape of the learning rate.</summary>
    /// <value>wsd</value>
    [Option("constant; cosine; linear; wsd: warm-up, stable, linear decay over the last part; wsd-sqrt: decay by 1 - sqrt.")]
    public ScheduleKind Schedule { get; init; } = ScheduleKind.Wsd;

    /// <summary>Optimizer steps of linear warm-up.</summary>
    /// <value>2 % of the steps, at least 10 and at most 100, never more than a tenth of the run</value>
    [Option("Optimizer steps of warm-up; left out: 2 % of the steps, from 10 to 100, at most a tenth of the run.", Min = 0, Max = 1e9)]
    public long? Warmup { get; init; }

    /// <summary>Learning rate that the warm-up starts from, as a share of the largest.</summary>
    /// <value>0</value>
    [Option("Learning rate that the warm-up starts from, as a share of the largest: where an earlier run ended, to warm up again.", Min = 0, Max = 1)]
    public double StartRate { get; init; }

    /// <summary>Share of the run that wsd decays over.</summary>
    /// <value>0.1</value>
    [Option("Share of the run over which wsd decays.", Min = 0, Max = 1)]
    public double Decay { get; init; } = 0.1;

    /// <summary>Learning rate at the end as a share of the largest.</summary>
    /// <value>cosine 0.1, linear and wsd 0</value>
    [Option("Learning rate at the end as a share of the largest; left out: cosine 0.1, linear and wsd 0.", Min = 0, Max = 1)]
    public double? FinalRate { get; init; }

    /// <summary>How experts are kept in use.</summary>
    /// <value>loss-free</value>
    [Option("loss-free: a selection bias that follows the load; loss: the load-balancing loss; none.")]
    public BalanceMethod Balance { get; init; } = BalanceMethod.LossFree;

    /// <summary>Weight of the load-balancing loss.</summary>
    /// <value>0.01</value>
    [Option("Weight of the load-balancing loss, for 'loss'.", Min = 0, Max = 1e3)]
    public double BalanceCoefficient { get; init; } = 0.01;

    /// <summary>Over which tokens the load-balancing loss takes its averages.</summary>
    /// <value>batch</value>
    [Option("Over which tokens the load-balancing loss takes its averages, for 'loss': each sequence; each micro-batch (batch; when left out); or all "
        + "micro-batches of a step (global), which leaves experts the most freedom to specialise, and runs each of several micro-batches forward once more.")]
    public BalanceScope? BalanceScope { get; init; }

    /// <summary>Step of the selection bias.</summary>
    /// <value>0.001</value>
    [Option("Step of the selection bias, for 'loss-free'.", Min = 0, Max = 1)]
    public double BalanceRate { get; init; } = LossFreeBalancing.DefaultRate;

    /// <summary>What becomes of the selection bias, which only DeepSeek-V3's loaders read.</summary>
    /// <value>keep</value>
    [Option("keep: part of the model, which only DeepSeek-V3's loaders read; fold: led to zero over the last 'decay' share of the run and left out, "
        + "so that every loader of the family runs the model as it was trained.")]
    public SelectionBiasEnd SelectionBias { get; init; } = SelectionBiasEnd.Keep;

    /// <summary>Weight of the router z-loss.</summary>
    /// <value>0.001</value>
    [Option("Weight of the router z-loss.", Min = 0, Max = 1e3)]
    public double ZLoss { get; init; } = 0.001;

    /// <summary>Arithmetic.</summary>
    /// <value>fp32</value>
    [Option("Arithmetic: fp32 or bf16.")]
    public Precision Precision { get; init; } = Precision.Fp32;

    /// <summary>Type of the weights that are trained, and of their gradients.</summary>
    /// <value>fp32</value>
    [Option("Type of the weights that are trained and of their gradients: fp32, or bf16, rounded at random so that small updates are not lost; "
        + "4 bytes a weight less, and no fused kernels on CPUs.")]
    public Precision Master { get; init; } = Precision.Fp32;

    /// <summary>How weights follow their gradients.</summary>
    /// <value>adamw</value>
    [Option("adamw; adamw-8bit: its moments in eight bits, 6 bytes a weight less; muon: orthogonal steps for the matrices of attention and "
        + "feed-forwards, AdamW for the rest, 4 bytes a weight less.", Choices = [OptimizerNames.AdamW, OptimizerNames.AdamW8Bit, OptimizerNames.Muon])]
    public string Optimizer { get; init; } = OptimizerNames.AdamW;

    /// <summary>Whether activations are computed again on the way back.</summary>
    /// <value>false</value>
    [Option("Keep only the stream between layers, and compute each layer again on the way back: less memory, a third more arithmetic, the same result.")]
    public bool Recompute { get; init; }

    /// <summary>Weight decay of matrices; norms and biases have none.</summary>
    /// <value>0.1</value>
    [Option("Weight decay of matrices; norms and biases have none.", Min = 0, Max = 10)]
    public double WeightDecay { get; init; } = 0.1;

    /// <summary>AdamW's decay rate of the first moment.</summary>
    /// <value>0.9</value>
    [Option("AdamW's decay rate of the first moment.", Min = 0, Max = 0.9999)]
    public double Beta1 { get; init; } = 0.9;

    /// <summary>AdamW's decay rate of the second moment.</summary>
    /// <value>0.95</value>
    [Option("AdamW's decay rate of the second moment.", Min = 0, Max = 0.999999)]
    public double Beta2 { get; init; } = 0.95;

    /// <summary>Chance that a number of what attention and feed-forwards add to the stream is dropped.</summary>
    /// <value>none</value>
    [Option("Chance that a number of what attention and feed-forwards add to the stream is zero in a training step (dropout), where text is read several "
        + "times; left out: none.", Min = 0, Max = 0.95)]
    public double? Dropout { get; init; }

    /// <summary>Chance that a number of a routed expert's output is dropped.</summary>
    /// <value>none</value>
    [Option("Chance that a number of a routed expert's output is zero in a training step; left out: none.", Min = 0, Max = 0.95)]
    public double? ExpertDropout { get; init; }

    /// <summary>Most tokens of an expert in a training step, as a multiple of an even share.</summary>
    /// <value>no limit</value>
    [Option("Most tokens of an expert in a micro-batch, as a multiple of an even share: 1.25. Of more, those with the largest gates are kept; the others go "
        + "without that expert, and the gates of their other experts stay as they are. For training only; left out: no limit.", Min = 0.01, Max = 1e6)]
    public double? Capacity { get; init; }

    /// <summary>Sum of probabilities after which a token takes no further expert.</summary>
    /// <value>as the model has it</value>
    [Option("A token takes its best experts until their probabilities add up to more than this, and at most as many as the model says: part of the model from "
        + "then on; 1 ends it, so that tokens always take as many as the model says; left out: as the model has it.", Min = 0, Max = 1)]
    public double? TopP { get; init; }

    /// <summary>Numbers of experts per token that the model is to serve.</summary>
    [Option("Draw the number of experts per token of each optimizer step, so that the model serves several; it keeps its own number as default.")]
    public ElasticOptions? Elastic { get; init; }

    /// <summary>How routers are trained.</summary>
    /// <value>as the model has it; learned for a new one</value>
    [Option("How routers are trained. learned: by gradients; k-means: each expert's row is the direction of a running mean of the tokens that it gets, without "
        + "gradients. Part of the model from then on; left out: as the model has it, learned for a new one.")]
    public RouterKind? Router { get; init; }

    /// <summary>How fast the means of k-means routers move.</summary>
    /// <value>0.01</value>
    [Option("With routers of k-means: share of the mean of an optimizer step's tokens in an expert's running mean; left out: 0.01.", Min = 0, Max = 1)]
    public double? RouterRate { get; init; }

    /// <summary>How weights are pruned while the model is trained.</summary>
    /// <value>not at all</value>
    [Option("Prune weights while the model is trained, more and more of them (sparse pre-training); left out: none.")]
    public SparsifyOptions? Sparsify { get; init; }

    /// <summary>Weight of the routers' mean entropy.</summary>
    /// <value>with <c>top-p</c> below 1 1e-4, else 0</value>
    [Option("Weight in the loss of the mean entropy of the routers' probabilities, which makes routers decide; left out: 1e-4 for a model with 'top-p', "
        + "whose tokens would take more and more experts without it, else 0.", Min = 0, Max = 1e3)]
    public double? EntropyLoss { get; init; }

    /// <summary>Model to learn from beside the text.</summary>
    [Option("Model to learn from beside the text (distillation); it has the same vocabulary and tokenizer, and is in memory as fp32.", Kind = OptionKind.Model)]
    public string? Teacher { get; init; }

    /// <summary>How the model learns from its teacher.</summary>
    [Option("How the model learns from its teacher; only with 'teacher'.")]
    public DistillOptions? Distill { get; init; }

    /// <summary>Measuring on held-out text while training.</summary>
    [Option("Measure the loss on held-out text of each domain while training; left out: no measurements.")]
    public ValidateOptions? Validate { get; init; }

    /// <summary>Rise of the loss that ends a run.</summary>
    /// <value>1.5</value>
    [Option("Stop a run whose median loss over 50 optimizer steps is so many times the lowest that it was, and 0.5 nats above it; 0: never.",
        Min = 0, Max = 1e6)]
    public double MaxRise { get; init; } = 1.5;

    /// <summary>Which weights are trained.</summary>
    /// <value>all</value>
    [Option("Which weights are trained, the others stay as they are: all; routers; experts; new-experts: those that growth added; attention; norms; "
        + "embeddings, with the output head; feed-forward: experts, shared experts and dense feed-forwards; dense: what every token uses, "
        + "without embeddings.", AcceptsOne = true)]
    [JsonConverter(typeof(OneOrManyConverter<WeightGroup>))]
    public IReadOnlyList<WeightGroup> Only { get; init; } = [WeightGroup.All];

    /// <summary>Learning rates of groups of weights.</summary>
    /// <value>1 for all</value>
    [Option("What the learning rate is multiplied by, by group of weights; a weight in several groups has the rate of the narrowest.")]
    public GroupRates? Rates { get; init; }

    /// <summary>Largest gradient norm; 0 for no limit.</summary>
    /// <value>1</value>
    [Option("Largest gradient norm; 0 for no limit.", Min = 0, Max = 1e9)]
    public double GradientClip { get; init; } = 1;

    /// <summary>How many times the usual gradient norm a step is still taken; 0 for any.</summary>
    /// <value>0</value>
    [Option("Steps whose gradient norm is more than this many times the median of the last 64 are not taken; 0 to take all.", Min = 0, Max = 1e6)]
    public double SkipSpikes { get; init; }

    /// <summary>How much of the moving average of the weights is kept at each step.</summary>
    /// <value>no average</value>
    [Option("Also make 'ema', a model of the moving average of the weights, of which each step keeps this share: 0.999. 4 bytes a weight more.",
        Min = 0, Max = 0.999999)]
    public double? Ema { get; init; }

    /// <summary>Whether the model as it was before the decay is an output of its own.</summary>
    /// <value>false</value>
    [Option("Also make 'stable', the model as it was when the learning rate began to fall, for 'wsd' and 'wsd-sqrt': to grow, or to train on from. "
        + "As many bytes a weight more as the weights have.")]
    public bool? Stable { get; init; }

    /// <summary>Where the moments come from.</summary>
    /// <value>reset</value>
    [Option("reset: zero moments; continue: those of the trainer-state among the inputs.")]
    public OptimizerStart OptimizerState { get; init; } = OptimizerStart.Reset;

    /// <summary>Tokens over which frozen-out replicas are let in.</summary>
    /// <value>a tenth of the run</value>
    [Option("Tokens over which the router bias of frozen-out replicas rises to that of their source; left out: a tenth of the run.",
        Kind = OptionKind.Count, Min = 0, Max = 1e15)]
    public long? ReplicaRamp { get; init; }

    /// <summary>Tokens over which a model that was grown wide returns to its experts per token.</summary>
    /// <value>half of the run</value>
    [Option("Tokens over which a model grown with more experts per token returns to its number; left out: half of the run.",
        Kind = OptionKind.Count, Min = 0, Max = 1e15)]
    public long? ExpertsPerTokenRamp { get; init; }

    /// <summary>When siblings compete freely.</summary>
    /// <value>0.5</value>
    [Option("Share of the tokens after which sibling-exclusive routing becomes free; 1 keeps it.", Min = 0, Max = 1)]
    public double ReleaseSiblings { get; init; } = 0.5;

    /// <summary>Time between saved positions; longer where saving would take more than 3 % of the time.</summary>
    /// <value>30s</value>
    [Option("Time between saved positions; longer where saving would take more than 3 % of the time.", Kind = OptionKind.Duration)]
    public TimeSpan CheckpointEvery { get; init; } = TimeSpan.FromSeconds(30);

    /// <summary>Most steps between saved positions; 0 for time alone.</summary>
    /// <value>0</value>
    [Option("Most optimizer steps between saved positions; 0 for time alone.", Min = 0, Max = 1e9)]
    public long CheckpointSteps { get; init; }

    /// <summary>Workers that train the model together.</summary>
    /// <value>1</value>
    [Option("Workers that train the model together, each on its part of the data and with a share of the experts (SPES); they exchange what changed "
        + "through the store. 'tokens' and 'skip' count all of them, 'batch' is that of each. Left out or 1: one worker.", Min = 1, Max = 256)]
    public int? Workers { get; init; }

    /// <summary>Optimizer steps between exchanges.</summary>
    /// <value>100</value>
    [Option("With 'workers': optimizer steps between exchanges, which are also the saved positions; left out: 100.", Min = 1, Max = 1e9)]
    public long? SynchroniseSteps { get; init; }

    /// <summary>Which of the workers a step is that planning added.</summary>
    /// <value>the first</value>
    [SetByPlanning]
    public int? Member { get; init; }

    /// <summary>Seed of fresh weights, of the order of the data and of everything else that is random.</summary>
    /// <value>0</value>
    [Option("Seed of fresh weights, of the order of the data and of everything else that is random.")]
    public long Seed { get; init; }
}
