using Espalier.Pipelines.Options;

namespace Espalier.Upcycler;

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
    /// <value>2, unless <see cref="Counts"/> is given</value>
    [Option("How many times as many experts: 2 (unless 'counts' is given), 4, 8, ... by doublings.", Min = 2, Max = 64)]
    public int? Multiplier { get; init; }

    /// <summary>How many experts of the grown model come from each expert of the source, itself included: r_e.</summary>
    [Option("Experts of the grown model from each expert of the source, itself included, instead of 'method' and 'multiplier'.", Min = 1, Max = 1024)]
    public IReadOnlyList<int>? Counts { get; init; }

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
    [Option("greedy: best first up to max-copies; weighted-sampling: at random by score.", ChoicesOf = typeof(ExpertSelection.ISlotSelection))]
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

    /// <summary>How a new expert is made from its source.</summary>
    /// <value><c>copy</c></value>
    [Option("How a new expert is made from its source; copies cost no bytes.")]
    public DuplicationOptions? Duplication { get; init; }

    /// <summary>Other settings for some layers.</summary>
    [Option("Other settings for some layers.")]
    public IReadOnlyList<LayerOptions>? LayerPlans { get; init; }

    /// <summary>How the router gets its new rows.</summary>
    /// <value><c>copy-noise</c> without <see cref="Preserve"/>, otherwise <c>copy</c>.</value>
    [Option("How the router gets its new rows; copy-noise unless 'preserve' is set, then copy.")]
    public RouterOptions? Router { get; init; }

    /// <summary>What becomes of the optimizer's moments.</summary>
    /// <value>reset</value>
    [Option("What becomes of the optimizer's moments; all but reset need the source's trainer-state among the inputs. Train with optimizer-state: "
        + "continue to use them.")]
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
    public GradientCalibrationOptions? Calibration { get; init; }

    /// <summary>Seed of every random draw.</summary>
    /// <value>0</value>
    [Option("Seed of every random draw.")]
    public long Seed { get; init; }

    /// <summary>The options that hold in one layer.</summary>
    public UpcycleOptions In(int layer) => LayerPlans?.FirstOrDefault(plan => plan.Layers.Contains(layer)) is { } own ? own.Over(this) : this;
}
