namespace Espalier.Upcycler.Metrics;

/// <summary>
/// ||g||^2 of the gradient averaged over the batches: the recipe of the paper (arXiv 2604.19835). With combine=average it ranks by the whole
/// expert.
/// </summary>
public sealed class GradientSquared : IUsefulnessMetric
{
    /// <inheritdoc/>
    public string Name => "gradient-squared";

    /// <inheritdoc/>
    public string Summary => "Squared norm of the mean gradient.";

    /// <inheritdoc/>
    public bool NeedsWeights => false;

    /// <inheritdoc/>
    public bool NeedsGradients => true;

    /// <inheritdoc/>
    public bool NeedsSecondMoments => false;

    /// <inheritdoc/>
    public bool IsSharedByCopies => true;

    /// <inheritdoc/>
    public double Score(HalfNorms norms) => norms.Gradient * norms.Gradient;
}
