namespace Espalier.Modeling.Training.Annealing;

/// <summary>One point of a loss curve.</summary>
/// <param name="Step">Optimizer steps done, where the loss was; the middle of those that it is the mean of.</param>
/// <param name="Loss">Nats per token.</param>
public readonly record struct CurvePoint(double Step, double Loss);

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
    private const double HuberWidth = 1e-3; // of the logarithm of a loss
    private const double Confidence = 1.96;
    private const double UsualMemory = 0.05; // of a run: how long a fall of the rate goes on to count, 1 / (1 - lambda) steps
    private static readonly double[] Memories = [0.01, 0.02, UsualMemory, 0.1, 0.2, 0.4];
    private static readonly double[] Befores = [0.01, 0.03, 0.1, 0.3, 1, 3, 10]; // of the area so far
    private readonly Candidate _best;

    private AnnealingFit(Candidate best) => _best = best;

    /// <summary>The law.</summary>
    public AnnealingLaw Law => _best.Law;

    /// <summary>Fits a run's curve; null where there are too few points behind the warm-up, or none that the law can follow.</summary>
    /// <param name="schedule">The run's schedule.</param>
    /// <param name="points">Its curve so far, ascending.</param>
    /// <param name="isContinued">Whether the model had been trained before, so that s is not 0.</param>
    public static AnnealingFit? Of(LearningRateSchedule schedule, IReadOnlyList<CurvePoint> points, bool isContinued)
    {
        var first = points.Count == 0 ? 0 : Math.Max(schedule.WarmUp, Beginning * points[^1].Step);
        var curve = Thin([.. points.Where(p => p.Step > first && p.Loss > 0 && double.IsFinite(p.Loss))]);
        if (curve.Count < FewestPoints)
            return null;
        double[] steps = [.. curve.Select(p => p.Step)], losses = [.. curve.Select(p => p.Loss)];
        var usual = new Problem(schedule, steps, losses, DecayOf(UsualMemory * schedule.Steps));
        if (usual.Scale <= 0)
            return null;
        // Before the rate has fallen nothing tells one lambda from another.
        var decays = Memories.Select(share => DecayOf(share * schedule.Steps)).Append(AnnealingLaw.UsualDecay);
        var problems = usual.HasAnnealed ? decays.Select(decay => new Problem(schedule, steps, losses, decay)) : [usual];
        var befores = isContinued ? Befores.Select(share => share * usual.Scale).Prepend(0) : [0];
        var best = problems.SelectMany(problem => befores.Select(problem.Search)).OfType<Candidate>().MinBy(found => found.Objective);
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
    private static List<CurvePoint> Thin(List<CurvePoint> points)
    {
        var block = (points.Count + MostPoints - 1) / MostPoints;
        return block <= 1 ? points : [.. points.Chunk(block).Select(c => new CurvePoint(c.Average(p => p.Step), c.Average(p => p.Loss)))];
    }

    /// <summary>A law with what its errors are read from.</summary>
    private sealed record Candidate(AnnealingLaw Law, double Objective, double Scale, double[,] Covariance, double Spread)
    {
        public double VarianceAt(AnnealingAreas areas)
        {
            var gradient = Problem.Gradient(Law, areas, Scale);
            var variance = Spread * Spread; // of the mean loss that will be seen there
            for (var i = 0; i < gradient.Length; i++)
                for (var j = 0; j < gradient.Length; j++)
                    variance += gradient[i] * Covariance[i, j] * gradient[j];
            return variance;
        }
    }

    /// <summary>The fit at one lambda.</summary>
    private sealed class Problem
    {
        private const double HasFallen = 0.2; // of what it will fall
        private const int Rounds = 12;
        private const double LeastExponent = 0.05, MostExponent = 3;
        private const int Exponents = 24;
        private const double MedianOfSquare = 0.455; // of a normal variable

        private readonly AnnealingAreas[] _areas;
        private readonly double[] _losses;
        private readonly double _finalAnnealing;
        private readonly double _decay;
        private readonly double _noise;

        public Problem(LearningRateSchedule schedule, double[] steps, double[] losses, double decay)
        {
            var along = AnnealingAreas.Of(schedule, [.. steps, schedule.Steps], decay);
            _areas = [.. along.Take(steps.Length)];
            (_losses, _decay) = (losses, decay);
            // A schedule that never anneals says nothing of it either: then that of the one which does at the end.
            _finalAnnealing = along[^1].Annealing is > 0 and var fallen
                ? fallen
                : AnnealingAreas.Of(schedule with { Kind = ScheduleKind.Wsd, FinalShare = 0 }, [schedule.Steps], decay)[0].Annealing;
            // Of the residuals of log L, roughly: from the differences of neighbours.
            var jumps = _losses.Skip(1).Zip(_losses, (b, a) => Math.Log(b / a)).Select(d => d * d / 2).Order().ToList();
            _noise = Math.Max(1e-8, jumps[jumps.Count / 2] / MedianOfSquare);
        }

        public double Scale => _areas[^1].Forward;

        public bool HasAnnealed => _areas[^1].Annealing > HasFallen * _finalAnnealing;

        public Candidate? Search(double before)
        {
            var scale = Scale;
            var ratio = Math.Pow(MostExponent / LeastExponent, 1.0 / (Exponents - 1));
            var best = Enumerable.Range(0, Exponents).Select(i => Solve(LeastExponent * Math.Pow(ratio, i), before, scale))
                .OfType<(double Exponent, double[] Found, double Objective)>().OrderBy(found => found.Objective).FirstOrDefault();
            if (best.Found is null)
                return null;
            for (var width = Math.Sqrt(ratio); width > 1.001; width = Math.Sqrt(width))
            {
                foreach (var exponent in new[] { best.Exponent / width, best.Exponent * width })
                {
                    if (Solve(exponent, before, scale) is { } found && found.Objective < best.Objective)
                        best = found;
                }
            }
            var law = new AnnealingLaw(best.Found[0], best.Found[1] * Math.Pow(scale, best.Exponent), best.Exponent, best.Found[2], before, _decay);
            var (covariance, spread) = Errors(law, scale);
            return new Candidate(law, best.Objective, scale, covariance, spread);
        }

        // L0, A in units of the scale, C, by iteratively reweighted least squares.
        private (double Exponent, double[] Found, double Objective)? Solve(double exponent, double before, double scale)
        {
            double[][] rows = [.. _areas.Select(a => new[] { 1, Math.Pow((a.Forward + before) / scale, -exponent), -a.Annealing })];
            double[] weights = [.. _losses.Select(loss => 1 / (loss * loss))];
            double[]? found = null;
            for (var round = 0; round < Rounds; round++)
            {
                found = NonNegative(rows, weights);
                if (found is null)
                    return null;
                for (var i = 0; i < _losses.Length; i++)
                {
                    var residual = Math.Abs(Math.Log(Math.Max(Dot(rows[i], found), 1e-9) / _losses[i]));
                    weights[i] = Math.Min(1, HuberWidth / Math.Max(residual, 1e-12)) / (_losses[i] * _losses[i]);
                }
            }
            var objective = rows.Select((row, i) => Huber(Math.Log(Math.Max(Dot(row, found!), 1e-9) / _losses[i]))).Sum() + PriorOf(found![2]);
            return (exponent, found, objective);
        }

        // The prior on C: as one more row, in the same units.
        private (double Value, double Weight) Prior()
        {
            if (_finalAnnealing <= 0)
                return (0, 0);
            var expected = UsualGain * _losses[^1] / _finalAnnealing;
            var spread = expected;
            return (expected, 1 / (spread * spread));
        }

        private double PriorOf(double gain)
        {
            var (value, weight) = Prior();
            return _noise * weight * (gain - value) * (gain - value) / 2;
        }

        private double[]? NonNegative(double[][] rows, double[] weights)
        {
            var (matrix, right) = (new double[3, 3], new double[3]);
            for (var i = 0; i < rows.Length; i++)
            {
                for (var j = 0; j < 3; j++)
                {
                    right[j] += weights[i] * rows[i][j] * _losses[i];
                    for (var k = 0; k < 3; k++)
                        matrix[j, k] += weights[i] * rows[i][j] * rows[i][k];
                }
            }
            var (value, weight) = Prior();
            matrix[2, 2] += _noise * weight;
            right[2] += _noise * weight * value;
            double[]? best = null;
            var bestValue = double.PositiveInfinity;
            for (var free = 7; free > 0; free--) // which of the three are not 0
            {
                if (LinearSystem.Solve(matrix, right, free) is not { } found || found.Any(x => x < 0))
                    continue;
                var quadratic = 0.0;
                for (var j = 0; j < 3; j++)
                {
                    quadratic -= 2 * right[j] * found[j];
                    for (var k = 0; k < 3; k++)
                        quadratic += found[j] * matrix[j, k] * found[k];
                }
                if (quadratic < bestValue)
                    (best, bestValue) = (found, quadratic);
            }
            return best;
        }

        // Covariance of (L0, A, C, alpha), and the spread of single points, from the curvature at the solution.
        private (double[,] Covariance, double Spread) Errors(AnnealingLaw law, double scale)
        {
            var residuals = _areas.Select((a, i) => law.At(a) - _losses[i]).ToArray();
            var variance = Math.Max(residuals.Sum(r => r * r) / Math.Max(1, residuals.Length - 4), 1e-12);
            // Neighbouring residuals that lean the same way count as fewer points: the law does not hold exactly.
            var together = residuals.Skip(1).Zip(residuals, (b, a) => a * b).Sum() / Math.Max(residuals.Sum(r => r * r), 1e-300);
            var inflation = together > 0 ? (1 + Math.Min(together, 0.95)) / (1 - Math.Min(together, 0.95)) : 1;
            var information = new double[4, 4];
            foreach (var at in _areas)
            {
                var gradient = Gradient(law, at, scale);
                for (var j = 0; j < 4; j++)
                    for (var k = 0; k < 4; k++)
                        information[j, k] += gradient[j] * gradient[k] / (variance * inflation);
            }
            information[2, 2] += Prior().Weight;
            information[3, 3] += 1 / (law.Exponent * law.Exponent); // alpha is known to about itself
            return (LinearSystem.Invert(information), Math.Sqrt(variance));
        }

        public static double[] Gradient(AnnealingLaw law, AnnealingAreas at, double scale)
        {
            var forward = (at.Forward + law.Before) / scale;
            var power = Math.Pow(forward, -law.Exponent);
            return [1, power, -at.Annealing, -law.Amplitude * Math.Pow(scale, -law.Exponent) * power * Math.Log(forward)];
        }

        private static double Dot(double[] row, double[] found) => row[0] * found[0] + row[1] * found[1] + row[2] * found[2];

        private static double Huber(double residual) =>
            Math.Abs(residual) <= HuberWidth ? residual * residual / 2 : HuberWidth * (Math.Abs(residual) - HuberWidth / 2);
    }
}
