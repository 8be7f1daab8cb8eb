using static TorchSharp.torch;

namespace Espalier.Modeling.Training;

/// <summary>
/// Changes the weights of a <see cref="ParameterBuffer"/> by their gathered gradients, one step at a time. What the next step depends
/// on, beside the weights, are <see cref="Steps"/> and <see cref="State"/>.
/// </summary>
public interface IOptimizer : IDisposable
{
    /// <summary>Its name in options and in saved states: <c>adamw</c>.</summary>
    string Name { get; }

    /// <summary>Steps taken.</summary>
    long Steps { get; set; }

    /// <summary>Parts of the buffer whose moments are younger than <see cref="Steps"/>: ascending, apart from each other.</summary>
    /// <value>none</value>
    IReadOnlyList<LateStart> Late { get; set; }

    /// <summary>
    /// Parts of the buffer that are not trained: neither stepped nor decayed, their gradients left out of the norm.
    /// Ascending, apart from each other.
    /// </summary>
    /// <value>none</value>
    IReadOnlyList<BufferRange> Frozen { get; set; }

    /// <summary>Parts of the buffer with learning rates of their own: ascending, apart from each other.</summary>
    /// <value>none</value>
    IReadOnlyList<RatedRange> Rates { get; set; }

    /// <summary>
    /// Scales the gathered gradients so that their norm is at most <paramref name="gradientClip"/> (0 for no limit), takes one step,
    /// clears the gradients, and returns the norm before clipping. Above <paramref name="mostNorm"/> it only clears the gradients.
    /// </summary>
    /// <exception cref="NotFiniteNumberException">The norm is NaN or infinite; nothing was changed.</exception>
    double Step(double learningRate, double gradientClip, double mostNorm = double.PositiveInfinity);

    /// <summary>
    /// The moments of some consecutive weights of one parameter, float32, flat; the caller disposes them. Null where the optimizer keeps
    /// no such moment of them.
    /// </summary>
    Tensor? Moments(Moment moment, BufferRange range);

    /// <summary>Sets the moments of a whole parameter, float32, flat.</summary>
    void SetMoments(Moment moment, NamedParameter parameter, Tensor values);

    /// <summary>What is kept of a parameter, by kind, as it is kept: views, which the caller disposes.</summary>
    IEnumerable<(string Kind, Tensor Value)> State(NamedParameter parameter);
}

/// <summary>A running mean that an optimizer keeps of every weight's gradient.</summary>
public enum Moment
{
    /// <summary>Of the gradient.</summary>
    First,

    /// <summary>Of its square.</summary>
    Second,
}

/// <summary>Numbers of AdamW.</summary>
/// <param name="Beta1">Decay rate of the first moment.</param>
/// <param name="Beta2">Decay rate of the second moment.</param>
/// <param name="Epsilon">Added to the root of the second moment.</param>
/// <param name="WeightDecay">Weight decay of matrices.</param>
public sealed record AdamWSettings(double Beta1 = 0.9, double Beta2 = 0.95, double Epsilon = 1e-8, double WeightDecay = 0.1);

/// <summary>Kinds of saved state.</summary>
internal static class StateKinds
{
    public const string First = "exp_avg";
    public const string Second = "exp_avg_sq";
    public const string Codes = ".codes";
    public const string Scales = ".scales";

    public static string Of(Moment moment) => moment == Moment.First ? First : Second;
}
