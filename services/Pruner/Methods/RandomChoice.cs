using Espalier.Pipelines.Options;
using Espalier.Pruner.Calibration;
using Espalier.Surgery;

namespace Espalier.Pruner.Methods;

/// <summary>Takes units away at random, by seed. The baseline that every other method must beat.</summary>
[MethodOptions(typeof(PruneOptions), "random")]
public sealed class RandomChoice : IPruningMethod
{
    /// <inheritdoc/>
    public string Name => "random";

    /// <inheritdoc/>
    public string Summary => "At random by seed: the baseline that other methods must beat.";

    /// <inheritdoc/>
    public IReadOnlyList<Granularity> Granularities => [Granularity.Expert, Granularity.Neuron];

    /// <inheritdoc/>
    public CalibrationNeed Need => CalibrationNeed.None;

    /// <inheritdoc/>
    public double[] Score(LayerSums sums, ScoreRequest request)
    {
        var random = new KeyedRandom(request.Seed, request.Layer, $"prune/{request.Granularity}");
        var scores = new double[request.Granularity == Granularity.Expert ? sums.Experts : sums.Experts * sums.Width];
        for (var unit = 0; unit < scores.Length; unit++)
            scores[unit] = random.NextDouble();
        return scores;
    }
}
