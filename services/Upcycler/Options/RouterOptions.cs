using Espalier.Pipelines.Options;

namespace Espalier.Upcycler;

/// <summary>How the router gets its new rows.</summary>
public sealed record RouterOptions
{
    /// <summary>Name of the method.</summary>
    /// <value>copy-noise, or copy when the stage's <c>preserve</c> is set</value>
    [Option("How the router gets its new rows: copy-noise when left out, or copy with 'preserve'.", ChoicesOf = typeof(Routers.IRouterExtension))]
    public string? Method { get; init; }

    /// <summary>Size of the noise.</summary>
    /// <value>copy-noise 0.01 and perturb-new-only 0.02 (times the spread of the weights), bias-only 0.001 (absolute, uniform); other methods take none</value>
    [Option("copy-noise: share of the router's spread (0.01); perturb-new-only: of the copied rows' spread (0.02); bias-only: largest absolute noise (0.001).",
        Min = 0, Max = 100)]
    public double? Noise { get; init; }

    /// <summary>Weight of the neighbouring row.</summary>
    /// <value>0.5</value>
    [Option("interpolate: weight of the neighbouring row (0.5).", Min = 0, Max = 1)]
    public double? Mix { get; init; }

    /// <summary>Whether the first row is the last one's neighbour.</summary>
    /// <value>true</value>
    [Option("interpolate: whether the last row's neighbour is the first (true) or itself.")]
    public bool? Circular { get; init; }

    /// <summary>Factor of the copied rows.</summary>
    /// <value>scaled-copy 0.95, temperature-scaled 0.9</value>
    [Option("scaled-copy (0.95), temperature-scaled (0.9): factor of the copied rows.", Min = 0.001, Max = 1000)]
    public double? Scale { get; init; }

    /// <summary>How far copies are pushed from their source towards the mean.</summary>
    /// <value>0.1</value>
    [Option("adversarial: how far a copied row is pushed from its source towards the mean row (0.1).", Min = 0, Max = 100)]
    public double? Strength { get; init; }

    /// <summary>Added to the bias of every copy.</summary>
    /// <value>0</value>
    [Option("bias-only: added to the bias of every copy (0).", Min = -1000, Max = 1000)]
    public double? Shift { get; init; }

    /// <summary>Relative noise of singular values.</summary>
    /// <value>0.1</value>
    [Option("svd-perturb: relative noise of singular values (0.1).", Min = 0, Max = 10)]
    public double? ValueNoise { get; init; }

    /// <summary>Norm of the noise added to each unit singular vector.</summary>
    /// <value>0.05</value>
    [Option("svd-perturb: expected norm of the noise added to each singular vector (0.05).", Min = 0, Max = 10)]
    public double? VectorNoise { get; init; }
}
