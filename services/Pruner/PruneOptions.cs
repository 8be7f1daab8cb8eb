using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;

namespace Espalier.Pruner;

/// <summary>What is taken away.</summary>
public enum Granularity
{
    /// <summary>Whole experts.</summary>
    Expert,

    /// <summary>Neurons of experts: a row of gate, the same row of up, the same column of down.</summary>
    Neuron,

    /// <summary>Single weights of experts: set to zero, with every shape, and the size of the file, as before.</summary>
    Weight,
}

/// <summary>Where units compete with each other.</summary>
public enum PruneScope
{
    /// <summary>
    /// Each expert (or layer, for whole experts) gives up the same number, so all keep one width and the model shrinks by what is taken away.
    /// </summary>
    Uniform,

    /// <summary>
    /// Neurons of all experts of a layer compete, as CAMERA-P was published: layers give up the same share, experts differ in width and
    /// are filled up with zero neurons.
    /// </summary>
    Layer,

    /// <summary>
    /// Neurons of the whole model compete, as HEAPr was published. Experts then differ in width, which no stock
    /// configuration can say, so narrower ones are filled up with zero neurons: exact, but only as small as the widest.
    /// </summary>
    Global,
}

/// <summary>Options of the stage <c>prune</c>. Recovery training is a <c>train</c> step after this one.</summary>
public sealed record PruneOptions
{
    /// <summary>The model to prune.</summary>
    [Option("Model to prune; may be left out when the step has one model among its needs.", Kind = OptionKind.Model)]
    public string? From { get; init; }

    /// <summary>How units are ranked.</summary>
    /// <value>heapr</value>
    [Option("How units are ranked.", ChoicesOf = typeof(Methods.IPruningMethod))]
    public string Method { get; init; } = "heapr";

    /// <summary>Share of the routed experts' weights to remove.</summary>
    [Option("Share of the routed experts' weights to remove.", Min = 0, Max = 0.99, Required = true)]
    public double Ratio { get; init; }

    /// <summary>What is taken away.</summary>
    /// <value>the method's own: the first that it can rank</value>
    [Option("expert: whole experts; neuron: narrower experts; weight: single weights set to zero, which makes no file smaller. "
        + "The method's own when left out.")]
    public Granularity? Granularity { get; init; }

    /// <summary>Where units compete.</summary>
    /// <value>uniform</value>
    [Option("uniform: every expert (layer) gives up the same number; layer: neurons of all experts of a layer compete; "
        + "global: neurons of the whole model compete. "
        + "With layer and global, narrower experts are padded with zeros.")]
    public PruneScope Scope { get; init; } = PruneScope.Uniform;

    /// <summary>The new expert width is a multiple of this, for fast kernels and quantization groups.</summary>
    /// <value>8</value>
    [Option("The new expert width is a multiple of this; 64 or more suits large models.", Min = 1, Max = 4096)]
    public int MultipleOf { get; init; } = 8;

    /// <summary>Whether super experts stay as they are.</summary>
    /// <value>false</value>
    [Option("Keep the few experts whole whose outputs make the massive activations; found on the calibration text. With granularity expert, or scope global.")]
    public bool ProtectSuperExperts { get; init; }

    /// <summary>Largest share of experts whose scores had to fall back to something simpler.</summary>
    /// <value>0.05</value>
    [Option("Largest share of experts of which the calibration text told too little for their score before the step is refused: "
        + "no token for reap, man and msan, fewer than 'min-tokens' for wanda and two-four, "
        + "fewer than 'calibration.tokens-per-expert' for any method. "
        + "The other methods rank such experts as published, and the report lists them.", Min = 0, Max = 1)]
    public double MaxFallback { get; init; } = 0.05;

    /// <summary>Calibration text.</summary>
    [Option("Text that shows how experts are used; every method but magnitude and random needs it.")]
    public PruneCalibrationOptions? Calibration { get; init; }

    /// <summary>Seed of every random draw.</summary>
    /// <value>0</value>
    [Option("Seed of every random draw.")]
    public long Seed { get; init; }
}
