namespace Espalier.Upcycler.Metrics;

/// <summary>||W||. Needs no data; a weak but free hint of use (arXiv 2604.19835).</summary>
public sealed class WeightNorm : IUsefulnessMetric
{
    /// <inheritdoc/>
    public string Name => "weight-norm";

    /// <inheritdoc/>
    public string Summary => "Frobenius norm of the weights.";

    /// <inheritdoc/>
    public bool NeedsWeights => true;

    /// <inheritdoc/>
    public bool NeedsGradients => false;

    /// <inheritdoc/>
    public bool NeedsSecondMoments => false;

    /// <inheritdoc/>
    public bool IsSharedByCopies => false;

    /// <inheritdoc/>
    public double Score(HalfNorms norms) => norms.Weight;
}
