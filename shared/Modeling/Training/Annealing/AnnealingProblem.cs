namespace Espalier.Modeling.Training.Annealing;

/// <summary>The fit of a curve at one lambda, see <see cref="AnnealingFit"/>.</summary>
internal sealed class AnnealingProblem
{
    private const double HasFallen = 0.2; // of what it will fall
    private const double HuberWidth = 1e-3; // of the logarithm of a loss
    private const int Rounds = 8;
    private const double LeastExponent = 0.05, MostExponent = 3;
    private const int Exponents = 12;
    private const double MedianOfSquare = 0.455; // of a normal variable

    private readonly AnnealingAreas[] _areas;
    private readonly double[] _losses;
    private readonly double _finalAnnealing;
    private readonly double _decay;
    private readonly double _noise;

    public AnnealingProblem(IReadOnlyList<TrainedCurve> curves, double decay)
    {
        _decay = decay;
        _areas = [.. curves.SelectMany(curve => AnnealingAreas.Of(curve.Schedule, [.. curve.Points.Select(p => p.Step)], decay))];
        _losses = [.. curves.SelectMany(curve => curve.Points.Select(p => p.Loss))];
        // A schedule that never anneals says nothing of it either: then that of the one which does at the end.
        _finalAnnealing = curves.Max(curve => FinalOf(curve.Schedule)) is > 0 and var fallen
            ? fallen
            : FinalOf(curves[0].Schedule with { Kind = ScheduleKind.Wsd, FinalShare = 0 });
        // Of the residuals of log L, roughly: from the differences of neighbours.
        var jumps = curves.SelectMany(curve => curve.Points.Skip(1).Zip(curve.Points, (b, a) => Math.Log(b.Loss / a.Loss)))
            .Select(d => d * d / 2).Order().ToList();
        _noise = Math.Max(1e-8, jumps[jumps.Count / 2] / MedianOfSquare);

        double FinalOf(LearningRateSchedule schedule) => AnnealingAreas.Of(schedule, [schedule.Steps], decay)[0].Annealing;
    }

    public double Scale => _areas.Max(a => a.Forward);

    public bool HasAnnealed => _areas.Max(a => a.Annealing) > HasFallen * _finalAnnealing;

    public FittedLaw? Search(double before)
    {
        var scale = Scale;
        var ratio = Math.Pow(MostExponent / LeastExponent, 1.0 / (Exponents - 1));
        var best = Enumerable.Range(0, Exponents).Select(i => Solve(LeastExponent * Math.Pow(ratio, i), before, scale))
            .OfType<(double Exponent, double[] Found, double Objective)>().OrderBy(found => found.Objective).FirstOrDefault();
        if (best.Found is null)
            return null;
        for (var width = Math.Sqrt(ratio); width > 1.001; width = Math.Sqrt(width))
        {
            for (var isBetter = true; isBetter;)
            {
                isBetter = false;
                foreach (var exponent in new[] { best.Exponent / width, best.Exponent * width })
                {
                    if (Solve(exponent, before, scale) is { } found && found.Objective < best.Objective)
                        (best, isBetter) = (found, true);
                }
            }
        }
        var law = new AnnealingLaw(best.Found[0], best.Found[1] * Math.Pow(scale, best.Exponent), best.Exponent, best.Found[2], before, _decay);
        var (covariance, spread) = Errors(law, scale);
        return new FittedLaw(law, best.Objective, scale, covariance, spread);
    }

    // L0, A in units of the scale, C, by iteratively reweighted least squares.
    private (double Exponent, double[] Found, double Objective)? Solve(double exponent, double before, double scale)
    {
        var powers = Array.ConvertAll(_areas, a => Math.Pow((a.Forward + before) / scale, -exponent));
        var weights = Array.ConvertAll(_losses, loss => 1 / (loss * loss));
        double[]? found = null;
        var objective = 0.0;
        for (var round = 0; round < Rounds; round++)
        {
            found = NonNegative(powers, weights);
            if (found is null)
                return null;
            objective = PriorOf(found[2]);
            for (var i = 0; i < _losses.Length; i++)
            {
                var fitted = found[0] + found[1] * powers[i] - found[2] * _areas[i].Annealing;
                var residual = Math.Abs(Math.Log(Math.Max(fitted, 1e-9) / _losses[i]));
                weights[i] = Math.Min(1, HuberWidth / Math.Max(residual, 1e-12)) / (_losses[i] * _losses[i]);
                objective += residual <= HuberWidth ? residual * residual / 2 : HuberWidth * (residual - HuberWidth / 2);
            }
        }
        return (exponent, found!, objective);
    }

    // The prior on C: as one more row, in the same units.
    private (double Value, double Weight) Prior()
    {
        if (_finalAnnealing <= 0)
            return (0, 0);
        var expected = AnnealingFit.UsualGain * _losses[^1] / _finalAnnealing;
        var spread = expected;
        return (expected, 1 / (spread * spread));
    }

    private double PriorOf(double gain)
    {
        var (value, weight) = Prior();
        return _noise * weight * (gain - value) * (gain - value) / 2;
    }

    private double[]? NonNegative(double[] powers, double[] weights)
    {
        double ones = 0, onePower = 0, oneFall = 0, power2 = 0, powerFall = 0, fall2 = 0, y = 0, powerY = 0, fallY = 0;
        for (var i = 0; i < powers.Length; i++)
        {
            var (w, p, f, loss) = (weights[i], powers[i], -_areas[i].Annealing, _losses[i]);
            (ones, onePower, oneFall) = (ones + w, onePower + w * p, oneFall + w * f);
            (power2, powerFall, fall2) = (power2 + w * p * p, powerFall + w * p * f, fall2 + w * f * f);
            (y, powerY, fallY) = (y + w * loss, powerY + w * p * loss, fallY + w * f * loss);
        }
        var (value, weight) = Prior();
        double[,] matrix = { { ones, onePower, oneFall }, { onePower, power2, powerFall }, { oneFall, powerFall, fall2 + _noise * weight } };
        double[] right = [y, powerY, fallY + _noise * weight * value];
        double[]? best = null;
        var bestValue = double.PositiveInfinity;
        for (var free = 7; free > 0; free--) // which of the three are not 0
        {
            if (LinearSystem.Solve(matrix, right, free) is not { } found || found.Any(x => x < 0))
                continue;
            if (free == 7)
                return found; // nothing holds it back
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
            var gradient = FittedLaw.Gradient(law, at, scale);
            for (var j = 0; j < 4; j++)
                for (var k = 0; k < 4; k++)
                    information[j, k] += gradient[j] * gradient[k] / (variance * inflation);
        }
        information[2, 2] += Prior().Weight;
        information[3, 3] += 1 / (law.Exponent * law.Exponent); // alpha is known to about itself
        return (LinearSystem.Invert(information), Math.Sqrt(variance));
    }
}
