namespace Espalier.Upcycler.Metrics;

/// <summary>||g||^2 / (||v|| + 1e-8) with Adam's second moment v (arXiv 2604.19835). Without optimizer state it is an error.</summary>
public sealed class ApproximateFisher : IUsefulnessMetric
{
    /// <inheritdoc/>
    public string Name => "approx-fisher";

    /// <inheritdoc/>
    public string Summary => "Squared gradient over the second moment.";

    /// <inheritdoc/>
    public bool NeedsWeights => false;

    /// <inheritdoc/>
    public bool NeedsGradients => true;

    /// <inheritdoc/>
    public bool NeedsSecondMoments => true;

    /// <inheritdoc/>
    public bool IsSharedByCopies => true;

    /// <inheritdoc/>
    public double Score(HalfNorms norms) => norms.Gradient * norms.Gradient / (norms.SecondMoment + 1e-8);
}
