namespace Espalier.Upcycler.Metrics;

/// <summary>||W|| ||g||: saliency (arXiv 2604.19835). Without gradients it is an error, never a silent ||W||.</summary>
public sealed class WeightGradProduct : IUsefulnessMetric
{
    /// <inheritdoc/>
    public string Name => "weight-grad-product";

    /// <inheritdoc/>
    public string Summary => "Norm of the weights times norm of the gradient.";

    /// <inheritdoc/>
    public bool NeedsWeights => true;

    /// <inheritdoc/>
    public bool NeedsGradients => true;

    /// <inheritdoc/>
    public bool NeedsSecondMoments => false;

    /// <inheritdoc/>
    public bool IsSharedByCopies => true;

    /// <inheritdoc/>
    public double Score(HalfNorms norms) => norms.Weight * norms.Gradient;
}
