using Espalier.Pipelines.Options;

namespace Espalier.Upcycler;

/// <summary>How the two halves of an expert become one score; fc1 is gate and up as one vector, fc2 is down.</summary>
public enum ScoreCombination
{
    /// <summary>Score of fc1.</summary>
    Fc1Only,

    /// <summary>Score of fc2.</summary>
    Fc2Only,

    /// <summary>Mean of both.</summary>
    Average,

    /// <summary>Product of both, each divided by its sum over the experts.</summary>
    Product,

    /// <summary>The larger.</summary>
    Max,

    /// <summary>The smaller.</summary>
    Min,
}

/// <summary>What becomes of the optimizer's moments.</summary>
public enum OptimizerStatePolicy
{
    /// <summary>Moments start at zero; no trainer state comes out.</summary>
    Reset,

    /// <summary>A new expert takes the moments and the step count of its source.</summary>
    Copy,

    /// <summary>Moments shrunk by how far the copy moved; not available yet.</summary>
    Scale,

    /// <summary>Moments mixed with a neighbour's; not available yet.</summary>
    Interpolate,
}

/// <summary>Ways to start with exactly the source's function.</summary>
public enum Preservation
{
    /// <summary>None: top-K is unchanged, so copies crowd out other sources and the loss jumps a little.</summary>
    None,

    /// <summary>New experts start with a router logit so low that they are never chosen; the trainer raises it.</summary>
    Frozen,

    /// <summary>Tokens choose among sources, then one member of each chosen source by rule.</summary>
    SiblingExclusive,

    /// <summary>Each token uses multiplier times as many experts at first; the trainer goes back.</summary>
    Wide,
}

/// <summary>Options of the stage <c>upcycle</c>.</summary>
public sealed record UpcycleOptions
{
    /// <summary>The model to grow.</summary>
    [Option("Model to grow; may be left out when the step has one model among its needs.", Kind = OptionKind.Model)]
    public string? From { get; init; }

    /// <summary>How sources are chosen and copied.</summary>
    /// <value>utility</value>
    [Option("copy: every expert equally often; utility: the most useful experts, by metric and selection.", ChoicesOf = typeof(Methods.IUpcycleMethod))]
    public string Method { get; init; } = "utility";

    /// <summary>How many times as many experts.</summary>
    /// <value>2</value>
    [Option("How many times as many experts: 2, 4, 8, ... by doublings.", Min = 2, Max = 64)]
    public int Multiplier { get; init; } = 2;

    /// <summary>What makes an expert useful.</summary>
    /// <value>weight-norm</value>
    [Option("Usefulness of an expert; the last three need calibration data.", ChoicesOf = typeof(Metrics.IUsefulnessMetric))]
    public string Metric { get; init; } = "weight-norm";

    /// <summary>How the scores of fc1 and fc2 become one.</summary>
    /// <value>fc1-only</value>
    [Option("How the scores of fc1 (gate and up) and fc2 (down) become one.")]
    public ScoreCombination Combine { get; init; } = ScoreCombination.Fc1Only;

    /// <summary>How slots are given to experts by score.</summary>
    /// <value>greedy</value>
    [Option("greedy: best first up to max-copies; weighted-sampling: at random by score.", ChoicesOf = typeof(Selections.ISelection))]
    public string Selection { get; init; } = "greedy";

    /// <summary>New slots that one expert may take before every other had its turn.</summary>
    /// <value>3</value>
    [Option("New copies one expert may get before all experts reached that number.", Min = 1, Max = 1024)]
    public int MaxCopies { get; init; } = 3;

    /// <summary>Softmax temperature of weighted sampling.</summary>
    /// <value>1</value>
    [Option("Softmax temperature of weighted-sampling.", Min = 1e-6, Max = 1e6)]
    public double Temperature { get; init; } = 1;

    /// <summary>Whether weighted sampling takes scores as they are, as the reference code does, instead of standardised ones.</summary>
    /// <value>false</value>
    [Option("Weighted-sampling on scores as they are instead of standardised ones.")]
    public bool RawScores { get; init; }

    /// <summary>How the router gets its new rows.</summary>
    /// <value><c>copy-noise</c> without <see cref="Preserve"/>, otherwise <c>copy</c>.</value>
    [Option("How the router gets its new rows; copy-noise unless 'preserve' is set, then copy.")]
    public RouterOptions? Router { get; init; }

    /// <summary>What becomes of the optimizer's moments.</summary>
    /// <value>reset</value>
    [Option("What becomes of the optimizer's moments; copy needs the source's trainer-state among the inputs.")]
    public OptimizerStatePolicy OptimizerState { get; init; } = OptimizerStatePolicy.Reset;

    /// <summary>Whether the grown model starts as exactly the source's function, and how.</summary>
    /// <value>none</value>
    [Option("Start as exactly the source's function: frozen, sibling-exclusive or wide.")]
    public Preservation Preserve { get; init; } = Preservation.None;

    /// <summary>Grow even when copies can never become different from their source.</summary>
    /// <value>false</value>
    [Option("Grow even when copies can never become different from their source.")]
    public bool AllowSymmetryLock { get; init; }

    /// <summary>Text for gradient metrics and for the measured change of the function.</summary>
    [Option("Text for gradient metrics and for measuring how growth changes the function.")]
    public CalibrationOptions? Calibration { get; init; }

    /// <summary>Seed of every random draw.</summary>
    /// <value>0</value>
    [Option("Seed of every random draw.")]
    public long Seed { get; init; }
}

/// <summary>How the router gets its new rows.</summary>
public sealed record RouterOptions
{
    /// <summary>Name of the method.</summary>
    /// <value>copy</value>
    [Option("copy: rows of the sources; copy-noise: with normal noise; bias-only: rows copied, noise on a logit bias.", ChoicesOf = typeof(Routers.IRouterExtension))]
    public string Method { get; init; } = "copy";

    /// <summary>Size of the noise.</summary>
    /// <value>copy-noise 0.01 (times the spread of the router's weights), bias-only 0.001 (absolute, uniform)</value>
    [Option("copy-noise: share of the router's spread (0.01); bias-only: largest absolute noise (0.001).", Min = 0, Max = 100)]
    public double? Noise { get; init; }
}

/// <summary>Calibration text.</summary>
public sealed record CalibrationOptions
{
    /// <summary>The dataset.</summary>
    [Option("Text to run the model on.", Kind = OptionKind.Dataset, Required = true)]
    public string? Data { get; init; }

    /// <summary>Number of sequences.</summary>
    /// <value>80</value>
    [Option("Sequences.", Min = 1, Max = 1 << 20)]
    public int Samples { get; init; } = 80;

    /// <summary>Tokens per sequence.</summary>
    /// <value>128</value>
    [Option("Tokens per sequence.", Min = 2, Max = 1 << 20)]
    public int Length { get; init; } = 128;

    /// <summary>Batches over which gradients are averaged.</summary>
    /// <value>10</value>
    [Option("Batches over which gradients are averaged.", Min = 1, Max = 10_000)]
    public int Batches { get; init; } = 10;
}
