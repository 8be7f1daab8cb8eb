using Espalier.Pipelines.Options;
using Espalier.Surgery.Calibration;

namespace Espalier.Pruner;

/// <summary>What is taken away.</summary>
public enum Granularity
{
    /// <summary>Whole experts.</summary>
    Expert,

    /// <summary>Neurons of experts: a row of gate, the same row of up, the same column of down.</summary>
    Neuron,
}

/// <summary>Where units compete with each other.</summary>
public enum PruneScope
{
    /// <summary>
    /// Each expert (or layer, for whole experts) gives up the same number, so all keep one width and the model shrinks by what is taken away.
    /// </summary>
    Uniform,

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
    /// <value>the method's own: heapr neuron, random and frequency expert</value>
    [Option("expert: whole experts; neuron: narrower experts. The method's own when left out.")]
    public Granularity? Granularity { get; init; }

    /// <summary>Where units compete.</summary>
    /// <value>uniform</value>
    [Option("uniform: every expert (layer) gives up the same number; global: neurons of the whole model compete, narrower experts are padded with zeros.")]
    public PruneScope Scope { get; init; } = PruneScope.Uniform;

    /// <summary>The new expert width is a multiple of this, for fast kernels and quantization groups.</summary>
    /// <value>8</value>
    [Option("The new expert width is a multiple of this; 64 or more suits large models.", Min = 1, Max = 4096)]
    public int MultipleOf { get; init; } = 8;

    /// <summary>Whether super experts stay as they are.</summary>
    /// <value>false</value>
    [Option("Keep the few experts whole whose outputs make the massive activations; found on the calibration text. With granularity expert, or scope global.")]
    public bool ProtectSuperExperts { get; init; }

    /// <summary>Calibration text.</summary>
    [Option("Text that shows how experts are used; heapr and frequency need it.")]
    public BatchedCalibrationOptions? Calibration { get; init; }

    /// <summary>Seed of every random draw.</summary>
    /// <value>0</value>
    [Option("Seed of every random draw.")]
    public long Seed { get; init; }
}
