using Espalier.Stages.Methods;

namespace Espalier.Upcycler.Metrics;

/// <summary>Scores one half of an expert (fc1: gate and up as one vector; fc2: down). Ranking is within a layer.</summary>
public interface IUsefulnessMetric : IStageMethod
{
    /// <summary>Whether weights are read.</summary>
    bool NeedsWeights { get; }

    /// <summary>Whether gradients over calibration text are needed.</summary>
    bool NeedsGradients { get; }

    /// <summary>Whether the optimizer's second moments are needed.</summary>
    bool NeedsSecondMoments { get; }

    /// <summary>
    /// Whether copies share their source's score: gradient scores come with tokens, which the copies share, so every
    /// member of a group of r gets 1/r of it; a weight score is the same for every copy.
    /// </summary>
    bool IsSharedByCopies { get; }

    /// <summary>The score; larger is more useful.</summary>
    double Score(HalfNorms norms);
}

/// <summary>Norms of one half of one expert; those that a metric does not need are 0.</summary>
/// <param name="Weight">||W||, Frobenius.</param>
/// <param name="Gradient">||g||, Frobenius, of the gradient averaged over the batches.</param>
/// <param name="SecondMoment">||v||, Frobenius, of Adam's second moment.</param>
public readonly record struct HalfNorms(double Weight, double Gradient, double SecondMoment);
