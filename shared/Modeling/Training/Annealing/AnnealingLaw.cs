namespace Espalier.Modeling.Training.Annealing;

/// <summary>
/// The scaling law with learning-rate annealing (arXiv 2408.11029): L = L0 + A (S1 + s)^-alpha - C S2, which gives the loss at every step
/// of any schedule. s is our addition: the area that a model had behind it when the run began, 0 for a fresh one.
/// </summary>
/// <param name="Floor">L0, the loss that is never reached.</param>
/// <param name="Amplitude">A.</param>
/// <param name="Exponent">alpha.</param>
/// <param name="Gain">C, what annealing gives.</param>
/// <param name="Before">s.</param>
/// <param name="Decay">lambda, how long a fall of the rate goes on to count.</param>
public sealed record AnnealingLaw(double Floor, double Amplitude, double Exponent, double Gain, double Before, double Decay)
{
    /// <summary>The usual lambda.</summary>
    public const double UsualDecay = 0.999;

    /// <summary>The loss behind some areas, in nats per token.</summary>
    public double At(AnnealingAreas areas) => Floor + Amplitude * Math.Pow(areas.Forward + Before, -Exponent) - Gain * areas.Annealing;

    /// <summary>The losses of a schedule after some numbers of steps, which ascend.</summary>
    public IReadOnlyList<double> Along(LearningRateSchedule schedule, IReadOnlyList<double> steps) => [.. AnnealingAreas.Of(schedule, steps, Decay).Select(At)];
}

/// <summary>A loss that is expected, with the interval that it falls into nineteen times of twenty, as far as the law holds.</summary>
/// <param name="Value">Nats per token.</param>
/// <param name="Low">Lower end.</param>
/// <param name="High">Upper end.</param>
public readonly record struct ExpectedLoss(double Value, double Low, double High);
