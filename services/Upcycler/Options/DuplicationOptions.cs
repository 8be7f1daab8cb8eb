using Espalier.Pipelines.Options;

namespace Espalier.Upcycler;

/// <summary>What drop-upcycle fills the neurons with that it draws anew.</summary>
public enum NeuronInitializer
{
    /// <summary>Normal with mean and spread of the part that is replaced.</summary>
    Statistics,

    /// <summary>Normal with mean 0 and the spread of the whole matrix.</summary>
    Normal,

    /// <summary>Uniform in +-sqrt(6 / (fan-in + fan-out)) of the whole matrix.</summary>
    Xavier,

    /// <summary>Uniform in +-sqrt(6 / fan-in) of the whole matrix.</summary>
    Kaiming,
}

/// <summary>Which expert interpolation mixes in.</summary>
public enum Neighbor
{
    /// <summary>The one whose router row points most nearly the same way.</summary>
    Similar,

    /// <summary>The one with the next index, which means nothing; as the reference code does.</summary>
    Next,
}

/// <summary>Which matrices scaled-copy scales.</summary>
public enum ScaledMatrices
{
    /// <summary>The down projection alone, so that the output is scaled by exactly the factor.</summary>
    Down,

    /// <summary>All three, which scales the output by about the factor's cube; as the reference code does.</summary>
    All,
}

/// <summary>How a new expert is made from its source.</summary>
public sealed record DuplicationOptions
{
    /// <summary>Name of the method.</summary>
    /// <value>copy</value>
    [Option("How a new expert is made from its source.", ChoicesOf = typeof(Duplication.IExpertDuplication))]
    public string Method { get; init; } = "copy";

    /// <summary>Size of the noise.</summary>
    /// <value>copy-noise 0.01 (times the spread of the matrix), orthogonal 0.1 (of the norm of the matrix)</value>
    [Option("copy-noise: share of each matrix's spread (0.01); orthogonal: share of its norm (0.1).", Min = 0, Max = 100)]
    public double? Noise { get; init; }

    /// <summary>Share that is replaced.</summary>
    /// <value>drop-upcycle 0.5 (neurons), svd-mix 0.3 (singular vectors), sparse-code-mix 0.3 (codes)</value>
    [Option("Share that is replaced: drop-upcycle, of the neurons (0.5); svd-mix, of the singular vectors (0.3); sparse-code-mix, of the codes (0.3).",
        Min = 0, Max = 1)]
    public double? Ratio { get; init; }

    /// <summary>What replaced neurons hold.</summary>
    /// <value>statistics</value>
    [Option("drop-upcycle: what replaced neurons are drawn from (statistics).")]
    public NeuronInitializer? Initializer { get; init; }

    /// <summary>Weight of the other expert.</summary>
    /// <value>0.5</value>
    [Option("interpolate: weight of the other expert (0.5).", Min = 0, Max = 1)]
    public double? Mix { get; init; }

    /// <summary>Which other expert.</summary>
    /// <value>similar</value>
    [Option("interpolate: the other expert, by router row (similar) or by index (next).")]
    public Neighbor? Neighbor { get; init; }

    /// <summary>Factor of the scaled matrices.</summary>
    /// <value>0.95</value>
    [Option("scaled-copy: the factor (0.95).", Min = 0.001, Max = 1000)]
    public double? Scale { get; init; }

    /// <summary>What is scaled.</summary>
    /// <value>down</value>
    [Option("scaled-copy: the matrices that are scaled (down).")]
    public ScaledMatrices? Matrices { get; init; }

    /// <summary>Relative noise of singular values.</summary>
    /// <value>0.1</value>
    [Option("svd-perturb: relative noise of singular values (0.1).", Min = 0, Max = 10)]
    public double? ValueNoise { get; init; }

    /// <summary>Norm of the noise added to each unit singular vector.</summary>
    /// <value>0.05</value>
    [Option("svd-perturb: expected norm of the noise added to each singular vector (0.05).", Min = 0, Max = 10)]
    public double? VectorNoise { get; init; }

    /// <summary>Share of the smallest singular values that is drawn anew.</summary>
    /// <value>0</value>
    [Option("svd-perturb: share of the smallest singular values that is replaced by noise (0).", Min = 0, Max = 1)]
    public double? Drop { get; init; }

    /// <summary>Words of the dictionary, at most the matrix's rows.</summary>
    /// <value>512</value>
    [Option("sparse-code-mix: words of the dictionary (512).", Min = 2, Max = 1 << 16)]
    public int? Dictionary { get; init; }

    /// <summary>Weight of the codes' absolute values.</summary>
    /// <value>0.1</value>
    [Option("sparse-code-mix: weight of the codes' absolute values (0.1).", Min = 0, Max = 100)]
    public double? Sparsity { get; init; }

    /// <summary>Steps of the iterative shrinkage.</summary>
    /// <value>100</value>
    [Option("sparse-code-mix: steps of the iterative shrinkage (100).", Min = 1, Max = 100_000)]
    public int? Iterations { get; init; }
}
