namespace Espalier.Modeling.Training.Annealing;

/// <summary>One point of a loss curve.</summary>
/// <param name="Step">Optimizer steps done, where the loss was; the middle of those that it is the mean of.</param>
/// <param name="Loss">Nats per token.</param>
public readonly record struct CurvePoint(double Step, double Loss);

/// <summary>The curve of one run.</summary>
/// <param name="Schedule">Its learning rate.</param>
/// <param name="Points">Its losses, ascending.</param>
public sealed record TrainedCurve(LearningRateSchedule Schedule, IReadOnlyList<CurvePoint> Points)
{
    internal List<CurvePoint> WithoutBeginning(double share)
    {
        var first = Points.Count == 0 ? 0 : Math.Max(Schedule.WarmUp, share * Points[^1].Step);
        return [.. Points.Where(p => p.Step > first && p.Loss > 0 && double.IsFinite(p.Loss))];
    }
}

/// <summary>
/// The law fitted to the curve of a run so far, by Huber's loss on the residuals of log L. For one alpha, lambda and s the law is linear in
/// the rest, so those three are searched on a grid, alpha then more finely, and L0, A, C >= 0 follow from least squares with weights. The
/// paper's lambda of 0.999 is for runs of tens of thousands of steps; the grid has memories of 1 to 40 % of a run as well. What annealing
/// gives is not in the data before the rate has fallen; until then a prior says that all of it will be worth <see cref="UsualGain"/> of the
/// loss, give or take as much, and the intervals are as wide.
/// </summary>
public sealed class AnnealingFit
{
    /// <summary>Fewest points that are fitted.</summary>
    public const int FewestPoints = 12;

    /// <summary>What a run's whole annealing is worth as a share of its loss, as long as nothing else is known.</summary>
    public const double UsualGain = 0.02;

    private const double Beginning = 0.1; // of the curve so far, where the loss falls faster than any power
    private const int MostPoints = 128;
    private const double Confidence = 1.96;
    private const double UsualMemory = 0.05; // of a run: how long a fall of the rate goes on to count, 1 / (1 - lambda) steps
    private static readonly double[] Memories = [0.01, 0.02, UsualMemory, 0.1, 0.2, 0.4];
    private static readonly double[] Befores = [0.1, 0.3, 1, 3]; // of the area so far
    private readonly FittedLaw _best;

    private AnnealingFit(FittedLaw best) => _best = best;

    /// <summary>The law.</summary>
    public AnnealingLaw Law => _best.Law;

    /// <summary>Fits a run's curve; null where there are too few points behind the warm-up, or none that the law can follow.</summary>
    /// <param name="schedule">The run's schedule.</param>
    /// <param name="points">Its curve so far, ascending.</param>
    /// <param name="isContinued">Whether the model had been trained before, so that s is not 0.</param>
    public static AnnealingFit? Of(LearningRateSchedule schedule, IReadOnlyList<CurvePoint> points, bool isContinued) =>
        Of([new TrainedCurve(schedule, points)], isContinued);

    /// <summary>Fits the curves of several runs that differ in their schedules alone: two tell what annealing gives apart from what training on does.</summary>
    /// <inheritdoc cref="Of(LearningRateSchedule, IReadOnlyList{CurvePoint}, bool)"/>
    public static AnnealingFit? Of(IReadOnlyList<TrainedCurve> runs, bool isContinued)
    {
        List<TrainedCurve> curves = [.. runs.Select(run => run with { Points = Thin(run.WithoutBeginning(Beginning)) })];
        if (curves.Exists(curve => curve.Points.Count < FewestPoints))
            return null;
        var steps = curves[0].Schedule.Steps;
        var usual = new AnnealingProblem(curves, DecayOf(UsualMemory * steps));
        if (usual.Scale <= 0)
            return null;
        // Before the rate has fallen nothing tells one lambda from another.
        var decays = Memories.Select(share => DecayOf(share * steps)).Append(AnnealingLaw.UsualDecay);
        var problems = usual.HasAnnealed ? decays.Select(decay => new AnnealingProblem(curves, decay)) : [usual];
        var befores = isContinued ? Befores.Select(share => share * usual.Scale).Prepend(0) : [0];
        var best = problems.SelectMany(problem => befores.Select(problem.Search)).OfType<FittedLaw>().MinBy(found => found.Objective);
        return best is not null && double.IsFinite(best.Objective) ? new AnnealingFit(best) : null;
    }

    /// <summary>The loss to expect at the end of a schedule that starts as the fitted one did.</summary>
    public ExpectedLoss AtEndOf(LearningRateSchedule schedule) => At(AnnealingAreas.Of(schedule, [schedule.Steps], Law.Decay)[0]);

    private ExpectedLoss At(AnnealingAreas areas)
    {
        var value = Law.At(areas);
        var margin = Confidence * Math.Sqrt(Math.Max(0, _best.VarianceAt(areas)));
        return new ExpectedLoss(value, value - margin, value + margin);
    }

    private static double DecayOf(double steps) => 1 - 1 / Math.Max(steps, 2);

    // Neighbours averaged, so that a long run costs no more than a short one.
    private static IReadOnlyList<CurvePoint> Thin(List<CurvePoint> points)
    {
        var block = (points.Count + MostPoints - 1) / MostPoints;
        return block <= 1 ? points : [.. points.Chunk(block).Select(c => new CurvePoint(c.Average(p => p.Step), c.Average(p => p.Loss)))];
    }
}
